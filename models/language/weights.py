"""Weights on disk, nothing that runs code when read.

======================  ==================================================================================
file                    content
======================  ==================================================================================
`model.safetensors`     the tensors
`model.json`            what answering needs to know of them, see `ModelRecord`
======================  ==================================================================================
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, PositiveInt
from safetensors.torch import load_file, save_file

from data_contracts.bundle import FORMAT, in_todays_format
from data_contracts.job import Config
from data_contracts.language.spelling import Spelling, spelling
from models.language.config import LanguageConfig
from models.language.network import LanguageNetwork
from models.networks.config import TransformerConfig
from models.weights import RECORD, TENSORS, copy_rows

ROWS_OF_SYMBOLS = ("reading.symbol.weight", "saying.symbols.weight", "saying.symbols.bias")
"""The tensors with a row a symbol."""


class Shape(TransformerConfig, frozen=True, extra="ignore"):
    """A network's settings as its weights tell them: one that is unknown here does not keep them from answering."""


class ModelRecord(BaseModel, frozen=True, extra="ignore"):
    """What ``model.json`` says about the tensors beside it: all that answering needs, in format `FORMAT`.

    Attributes:
        format: Of the bundle.
        use_case: Whose weights they are.
        network: Its settings.
        context: Symbols that it looks back at.
        tokens: What symbols stand for.
        symbols: Characters that have one, or pairs that are merged, by number.
    """

    format: PositiveInt = FORMAT
    use_case: Literal["language"] = "language"
    network: Shape
    context: PositiveInt
    tokens: Literal["characters", "bytes", "subwords"]
    symbols: tuple[str, ...]

    @property
    def spelling(self) -> Spelling:
        """Return how texts are made to symbols."""
        return spelling(self.tokens, self.symbols)


class Weights(NamedTuple):
    """A network, and what it was made under."""

    network: LanguageNetwork
    config: LanguageConfig
    features: Config
    symbols: tuple[str, ...]


class Ready(NamedTuple):
    """A network that answers, and what is to be known of it."""

    network: LanguageNetwork
    record: ModelRecord


def record_of(config: LanguageConfig, features: Config, symbols: tuple[str, ...]) -> ModelRecord:
    """Return what answering needs to know of a network that is trained under these."""
    own = {"network": config.network.model_dump(), "context": config.context}
    return ModelRecord.model_validate({**own, "symbols": symbols, "tokens": features["tokens"]})


def save(weights: Weights, folder: Path) -> None:
    """Write the weights, in single precision, and what is to be known of them."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.detach().float() for name, tensor in weights.network.named_parameters()}
    save_file(tensors, folder / TENSORS)
    record = record_of(weights.config, weights.features, weights.symbols)
    (folder / RECORD).write_text(record.model_dump_json(indent=2), encoding="utf-8")


def new_network(record: ModelRecord) -> LanguageNetwork:
    """Make a network with fresh weights."""
    return LanguageNetwork(record.network, context=record.context, symbols=record.spelling.count)


def load(folder: Path) -> Ready:
    """Read weights, ready to answer.

    Raises:
        BundleFormatError: They are of a format that is newer than this code.
        FileNotFoundError: ``folder`` holds no weights.
        WeightsError: The tensors are not those that its ``model.json`` describes.
    """
    record = ModelRecord.model_validate(in_todays_format(folder / RECORD, {}))
    network = new_network(record)
    copy_into(network, folder, record)
    return Ready(network.eval(), record)


def copy_into(network: LanguageNetwork, folder: Path, wanted: ModelRecord) -> None:
    """Overwrite the weights of ``network`` with those in ``folder``; symbols that only it knows keep their rows.

    Raises:
        WeightsError: They know other symbols; or a tensor is missing, left over or of another shape: all are listed.
    """
    known = ModelRecord.model_validate(in_todays_format(folder / RECORD, {}))
    others = list(_differences(known, wanted))
    rows = dict.fromkeys(ROWS_OF_SYMBOLS, known.spelling.count)
    copy_rows(dict(network.named_parameters()), load_file(folder / TENSORS), rows, folder, others)


def _differences(known: ModelRecord, wanted: ModelRecord) -> list[str]:
    found = []
    if known.tokens != wanted.tokens:
        found.append(f"tokens: {known.tokens}, wanted {wanted.tokens}")
    elif not wanted.spelling.is_read_by(known.symbols):
        which = "the first of" if known.tokens == "characters" else "exactly"
        found.append(f"symbols: {len(known.symbols):,}, which are not {which} the {len(wanted.symbols):,} wanted")
    return found
