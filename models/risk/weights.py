"""A network's weights on disk, nothing that runs code when read.

======================  ==================================================================================
file                    content
======================  ==================================================================================
`model.safetensors`     the tensors, means and deviations of the features among them
`rows-*.safetensors`    the parties' rows, where a training had them in shards: a file of each, see `models.rows.files`
`model.json`            what answering needs to know of them
`training.json`         the settings that they were trained under, for the next training
======================  ==================================================================================
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, PositiveInt

from data_contracts.bundle import FORMAT, in_todays_format
from data_contracts.risk.examples import FEATURES
from models.risk.config import NetworkConfig, RiskConfig
from models.risk.network import WideAndDeep, new_rows
from models.risk.rows import feature_names
from models.rows.table import Rows
from models.rows.weights import Saved, copy_saved, files_of, save_tensors
from models.weights import WeightsError

RECORD, TREES = "model.json", "boosting.txt"
PARTY_ROWS = "first.party.weight"
"""The one tensor with a row a party, 1…, after row 0 of the unknown."""


class Shape(NetworkConfig, frozen=True, extra="ignore"):
    """A network's settings as its weights tell them: one that is unknown here does not keep them from answering."""


class NetworkRecord(BaseModel, frozen=True, extra="ignore"):
    """What ``model.json`` says about the tensors beside it.

    Attributes:
        format: Of the bundle.
        kind: What lies here.
        network: Its settings.
        parties: It knows the parties 1…``parties`` by number.
        features: Names of its features, in order.
        shards: Files that the parties' rows are in; one where they are with the other tensors.
    """

    format: PositiveInt
    kind: Literal["network"] = "network"
    network: Shape
    parties: int
    features: tuple[str, ...]
    shards: PositiveInt = 1


def save(network: WideAndDeep, config: RiskConfig, folder: Path) -> None:
    """Write the weights, and what is to be known of them.

    Where each process has some of the parties' rows, all call this: each writes its own, the first everything else.
    """
    party = network.first.party
    assert isinstance(party, Rows)
    if not save_tensors(network.state_dict(), party, PARTY_ROWS, folder):
        return
    shape = Shape.model_validate(config.network.model_dump())
    names = feature_names(network.first.numbers)
    record = NetworkRecord(
        format=FORMAT, network=shape, parties=network.parties, features=names, shards=party.shard.world
    )
    (folder / RECORD).write_text(record.model_dump_json(indent=2), encoding="utf-8")


def load(folder: Path) -> WideAndDeep:
    """Read a network that answers; parties' rows that are in shards stay on disk.

    Raises:
        BundleFormatError: It is of a format that is newer than this code.
        FileNotFoundError: ``folder`` holds no weights.
        WeightsError: It has other features, or its tensors are not those that its ``model.json`` describes.
    """
    record = _read(folder)
    numbers = count_numbers(record.features, folder)
    party = _saved(record, folder).on_disk() or new_rows(record.parties, record.network)
    network = WideAndDeep(len(record.features), numbers, record.network, party)
    copy_into(network, folder)
    return network.float().eval()


def copy_into(network: WideAndDeep, folder: Path) -> None:
    """Overwrite the weights of ``network`` with those in ``folder``; parties it knows beyond them keep their rows.

    Raises:
        WeightsError: It has other features, or a tensor is missing, left over or of another shape; all are listed.
    """
    record = _read(folder)
    count_numbers(record.features, folder)
    copy_saved(network.state_dict(), network.first.party, _saved(record, folder))


def _read(folder: Path) -> NetworkRecord:
    return NetworkRecord.model_validate(in_todays_format(folder / RECORD, {}))


def _saved(record: NetworkRecord, folder: Path) -> Saved:
    return Saved(folder, PARTY_ROWS, record.parties + 1, record.network.party_width, record.shards)


def tensor_files(folder: Path) -> tuple[str, ...]:
    """Return the names of the files in ``folder`` with tensors."""
    return files_of(_read(folder).shards)


def count_numbers(told: tuple[str, ...], folder: Path) -> int:
    """See that what was learned is of the features that are computed here, and count a transaction's own numbers.

    Raises:
        WeightsError: It is of others.
    """
    numbers = max(len(told) - len(FEATURES), 0)
    if told != feature_names(numbers):
        odd = sorted(set(told) ^ set(feature_names(numbers))) or ["their order"]
        raise WeightsError(
            f"what lies in {folder} was learned from other features than those of this code; they differ in "
            f"{', '.join(odd)}. Run the code that made it, or train anew."
        )
    return numbers
