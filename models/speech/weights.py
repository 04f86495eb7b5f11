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
from data_contracts.language.symbols import FIRST
from models.speech.config import SpeechConfig, SpeechNetworkConfig
from models.speech.network import SpeechNetwork
from models.weights import RECORD, TENSORS, copy_rows

ROWS_OF_SYMBOLS = ("writing.symbols.weight", "writing.symbols.bias")
"""The tensors with a row a symbol."""


class Shape(SpeechNetworkConfig, frozen=True, extra="ignore"):
    """A network's settings as its weights tell them: one that is unknown here does not keep them from answering."""


class ModelRecord(BaseModel, frozen=True, extra="ignore"):
    """What ``model.json`` says about the tensors beside it: all that answering needs, in format `FORMAT`.

    Attributes:
        format: Of the bundle.
        use_case: Whose weights they are.
        network: Its settings.
        rate: Samples a second that it hears.
        mels: Bands that they are made to.
        symbols: Characters that have numbers, in their order.
        words: That answers may have; null where it is any.
    """

    format: PositiveInt = FORMAT
    use_case: Literal["speech"] = "speech"
    network: Shape
    rate: PositiveInt
    mels: PositiveInt
    symbols: tuple[str, ...]
    words: tuple[str, ...] | None


class Weights(NamedTuple):
    """A network, and what it was made under."""

    network: SpeechNetwork
    config: SpeechConfig
    record: ModelRecord


class Ready(NamedTuple):
    """A network that answers, and what is to be known of it."""

    network: SpeechNetwork
    record: ModelRecord


def record_of(config: SpeechConfig, features: Config, symbols: tuple[str, ...], words: tuple[str, ...]) -> ModelRecord:
    """Return what answering needs to know of a network that is trained under these."""
    said = words if config.words == "known" else None
    own = {"network": config.network.model_dump(), "symbols": symbols, "words": said}
    return ModelRecord.model_validate({**own, "rate": features["rate"], "mels": features["mels"]})


def save(weights: Weights, folder: Path) -> None:
    """Write the weights, in single precision, and what is to be known of them."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.detach().float() for name, tensor in weights.network.named_parameters()}
    save_file(tensors, folder / TENSORS)
    (folder / RECORD).write_text(weights.record.model_dump_json(indent=2), encoding="utf-8")


def new_network(record: ModelRecord) -> SpeechNetwork:
    """Make a network with fresh weights: it writes the blank, a mark of unknown characters, and all that are known."""
    return SpeechNetwork(record.network, mels=record.mels, symbols=FIRST + len(record.symbols))


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


def copy_into(network: SpeechNetwork, folder: Path, wanted: ModelRecord) -> None:
    """Overwrite the weights of ``network`` with those in ``folder``; characters that only it knows keep their rows.

    Raises:
        WeightsError: They know other characters; or a tensor is missing, left over or of another shape: all are listed.
    """
    known = ModelRecord.model_validate(in_todays_format(folder / RECORD, {}))
    rows = dict.fromkeys(ROWS_OF_SYMBOLS, FIRST + len(known.symbols))
    copy_rows(dict(network.named_parameters()), load_file(folder / TENSORS), rows, folder, differences(known, wanted))


def differences(known: ModelRecord, wanted: ModelRecord) -> list[str]:
    """Return what keeps weights from being those of another record: of it they may know the first characters alone."""
    found = [
        f"features.{name}: {getattr(known, name):,}, wanted {getattr(wanted, name):,}"
        for name in ("rate", "mels")
        if getattr(known, name) != getattr(wanted, name)
    ]
    if known.symbols != wanted.symbols[: len(known.symbols)]:
        found.append(
            f"characters: {len(known.symbols):,}, which are not the first of the {len(wanted.symbols):,} wanted"
        )
    return found
