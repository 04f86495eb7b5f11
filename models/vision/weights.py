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
from typing import NamedTuple

from pydantic import BaseModel, PositiveInt
from safetensors.torch import load_file, save_file

from data_contracts.bundle import FORMAT, in_todays_format
from data_contracts.job import Config
from data_contracts.night import UseCaseName
from data_contracts.vision.pictures import NUMBERS, Channels
from models.networks.config import ResidualConfig
from models.networks.residual import ResidualNetwork
from models.vision.config import VisionConfig
from models.weights import RECORD, TENSORS, copy_rows

ROWS_OF_CLASSES = ("head.classes.weight", "head.classes.bias")
"""The tensors with a row a class."""


class Shape(ResidualConfig, frozen=True, extra="ignore"):
    """A network's settings as its weights tell them: one that is unknown here does not keep them from answering."""


class ModelRecord(BaseModel, frozen=True, extra="ignore"):
    """What ``model.json`` says about the tensors beside it: all that answering needs, in format `FORMAT`.

    Attributes:
        format: Of the bundle.
        use_case: Whose weights they are.
        network: Its settings.
        size: Height and width of what it looks at, pixels.
        channels: Of these.
        labels: Of the classes that it knows, by number.
    """

    format: PositiveInt = FORMAT
    use_case: UseCaseName = "vision"
    network: Shape
    size: PositiveInt
    channels: Channels
    labels: tuple[str, ...]


class Weights(NamedTuple):
    """A network, and what it was made under."""

    network: ResidualNetwork
    config: VisionConfig
    features: Config
    labels: tuple[str, ...]
    use_case: UseCaseName = "vision"


class Ready(NamedTuple):
    """A network that answers, and what is to be known of it."""

    network: ResidualNetwork
    record: ModelRecord


def new_network(shape: ResidualConfig, channels: Channels, labels: tuple[str, ...]) -> ResidualNetwork:
    """Make a network with fresh weights, one output for each label."""
    return ResidualNetwork(shape, channels=NUMBERS[channels], classes=len(labels))


def save(weights: Weights, folder: Path) -> None:
    """Write the weights, in single precision, and what is to be known of them."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.detach().float() for name, tensor in weights.network.named_parameters()}
    save_file(tensors, folder / TENSORS)
    known = {"network": weights.config.network.model_dump(), "labels": weights.labels, "use_case": weights.use_case}
    record = ModelRecord.model_validate({**weights.features, **known})
    (folder / RECORD).write_text(record.model_dump_json(indent=2), encoding="utf-8")


def load(folder: Path) -> Ready:
    """Read weights, ready to answer.

    Raises:
        BundleFormatError: They are of a format that is newer than this code.
        FileNotFoundError: ``folder`` holds no weights.
        WeightsError: The tensors are not those that its ``model.json`` describes.
    """
    record = ModelRecord.model_validate(in_todays_format(folder / RECORD, {}))
    network = new_network(record.network, record.channels, record.labels)
    copy_into(network, folder, record.labels)
    return Ready(network.eval(), record)


def copy_into(network: ResidualNetwork, folder: Path, labels: tuple[str, ...]) -> None:
    """Overwrite the weights of ``network`` with those in ``folder``; classes that only it knows keep their rows.

    Raises:
        WeightsError: They know other classes; or a tensor is missing, left over or of another shape: all are listed.
    """
    known = ModelRecord.model_validate(in_todays_format(folder / RECORD, {})).labels
    others = [] if known == labels[: len(known)] else [f"classes: {list(known)}, wanted the first of {list(labels)}"]
    rows = dict.fromkeys(ROWS_OF_CLASSES, len(known))
    copy_rows(dict(network.named_parameters()), load_file(folder / TENSORS), rows, folder, others)
