"""What is trained in every way of splitting: a use case each, on made-up tables, ten steps an epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from pydantic import JsonValue

from benchmarks.sizes import Sizes
from benchmarks.tables import WINDOW, made_up, write_tables
from data_contracts.contract import DataContract
from data_contracts.job import Config, TablesAt
from data_contracts.language.examples import BANDS
from data_contracts.language.examples import EXAMPLES as TEXTS
from data_contracts.language.symbols import FIRST as FIRST_SYMBOL
from data_contracts.language.symbols import SYMBOLS
from data_contracts.parallelism import Schedule
from data_contracts.risk.examples import EXAMPLES, FEATURES
from data_contracts.risk.numbers import NUMBERS
from data_contracts.risk.parties import PARTIES
from data_contracts.speech.examples import EXAMPLES as SOUNDS
from data_contracts.table import Table
from data_contracts.vision.classes import CLASSES
from data_contracts.vision.examples import EXAMPLES as PICTURES

SIZES = Sizes(users=400, events=20, items=60, length=20, width=16, blocks=6, batch=40, negatives=20, epochs=5)
"""Eight layers, enough for two stages on each of four processes."""
STEPS_OF_EPOCH = 10
LEARNED, VALIDATING, KNOWN_PARTIES, OWN_NUMBERS = 400, 22, 50, 3
"""Made-up transactions that are learned from, those that validate, the parties of both, and the numbers of each."""
LETTERS, STRETCH = 20, 12
"""Different symbols of made-up texts, and how far back a network looks: a text is four such stretches."""
MELS, FRAMES, WORD = 12, (24, 40), 6
"""Bands of made-up sounds, their fewest and most frames, and the letters that are said in each."""
SIDE, KINDS = 12, 3
"""Height and width of made-up pictures, pixels, and how many classes they are of."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A use case to train.

    Attributes:
        name: What people call it.
        use_case: Whose jobs train it.
        write: Writes its tables into a folder.
        model: Its `model` settings for what is minimised, but for `fit`; nothing in it is drawn by each process.
        features: Its `features` settings.
        refused: Schedules of a pipeline that it is not trained by.
        has_rows: Whether its network has a table of rows.
    """

    name: str
    use_case: str
    write: Callable[[Path], TablesAt]
    model: Callable[[str], dict[str, JsonValue]]
    features: Config
    refused: tuple[Schedule, ...] = ()
    has_rows: bool = True


def _write_walks(folder: Path) -> TablesAt:
    return write_tables(folder, made_up(SIZES))


def _recommender(objective: str) -> dict[str, JsonValue]:
    negatives = {"negatives": SIZES.negatives} if objective == "sampled_softmax" else {}
    return {
        "exclude_seen": False,
        "network": {"width": SIZES.width, "blocks": SIZES.blocks, "dropout": 0.0},
        "loss": {"kind": objective, **negatives},
    }


def _hstu(objective: str) -> dict[str, JsonValue]:
    told = _recommender(objective)
    network = told["network"]
    assert isinstance(network, dict)
    return {**told, "network": {**network, "kind": "hstu"}}


def _write_transactions(folder: Path) -> TablesAt:
    """Write examples whose label follows from their features, and parties."""
    random = np.random.default_rng(0)
    rows = LEARNED + VALIDATING
    feature_BF = random.normal(size=(rows, len(FEATURES))).astype(np.float32)
    moments = pa.array(np.arange(rows) * 60_000_000, pa.timestamp("us", "UTC"))
    label = (feature_BF[:, :5].sum(axis=1) + random.normal(size=rows) > 0).astype(np.int8)
    columns = {
        "from_number": random.integers(1, KNOWN_PARTIES + 1, rows).astype(np.int32),
        "to_number": random.integers(1, KNOWN_PARTIES + 1, rows).astype(np.int32),
        **dict(zip(FEATURES, feature_BF.T, strict=True)),
        "label": label,
        "happened_at": moments,
        "known_at": moments,
        "window": [WINDOW] * rows,
        "numbers": _numbers(random, rows),
    }
    numbers = np.arange(1, KNOWN_PARTIES + 1)
    names = [f"party-{number}" for number in numbers]
    parties = pa.table({"party": names, "number": numbers, "first_window": [WINDOW] * len(names)})
    return _committed(folder, (EXAMPLES, pa.table(columns)), (PARTIES, parties), marks={NUMBERS.name: OWN_NUMBERS})


def _numbers(random: np.random.Generator, rows: int) -> pa.Array:
    """Make up lists of numbers, some of which are not known."""
    number = random.normal(size=rows * OWN_NUMBERS)
    values = pa.array(number, mask=number < -1)
    return pa.ListArray.from_arrays(np.arange(rows + 1, dtype=np.int32) * OWN_NUMBERS, values)


def _committed(folder: Path, *tables: tuple[DataContract, pa.Table], marks: dict[str, int] | None = None) -> TablesAt:
    """Write tables of one commit each."""
    versions = {}
    for contract, made in tables:
        table = Table(str(folder), contract)
        versions[contract.name] = table.commit(table.write(made, "rows"), consumed=["made up"], marks=marks)
    return TablesAt(folder=str(folder), versions=versions)


def _risk(_: str) -> dict[str, JsonValue]:
    return {"network": {"width": SIZES.width, "hidden": SIZES.blocks, "dropout": 0.0, "party_dropout": 0.0}}


def _write_pictures(folder: Path) -> TablesAt:
    """Write noise with a bright bar whose place says the class."""
    random = np.random.default_rng(0)
    class_N = random.integers(0, KINDS, LEARNED).astype(np.int32)
    pixels_NHW = random.integers(0, 160, (LEARNED, SIDE, SIDE), dtype=np.uint8)
    is_bright_NH = np.arange(SIDE) // (SIDE // KINDS) == class_N[:, None]
    pixels_NHW += np.uint8(60) * is_bright_NH[:, :, None]
    pictures = {
        "pixels": [picture.tobytes() for picture in pixels_NHW],
        "class_number": class_N,
        "seen_at": pa.array(np.arange(LEARNED) * 60_000_000, pa.timestamp("us", "UTC")),
        "window": [WINDOW] * LEARNED,
    }
    numbers = np.arange(KINDS)
    labels = [f"class-{number}" for number in numbers]
    classes = pa.table({"label": labels, "class_number": numbers, "first_window": [WINDOW] * KINDS})
    return _committed(folder, (PICTURES, PICTURES.filled(pa.table(pictures))), (CLASSES, classes))


def _vision(_: str) -> dict[str, JsonValue]:
    """Return settings under which pictures are moved and mirrored: by draws of their own, whoever takes them."""
    width = SIZES.width // 2
    return {
        "network": {"widths": [width] * (SIZES.blocks // 2), "blocks": 2, "groups": width // 2},
        "augment": {"shift": 2, "flip": True},
    }


def _medical(objective: str) -> dict[str, JsonValue]:
    return {**_vision(objective), "finding": "class-1"}


def _write_texts(folder: Path) -> TablesAt:
    """Write texts in which each symbol follows from the one before, and not always."""
    random = np.random.default_rng(0)
    step_TL = random.choice([1, 1, 1, 1, 7], (LEARNED // 4, 4 * STRETCH - 1))  # a boundary makes it four stretches
    texts = (FIRST_SYMBOL + step_TL.cumsum(axis=1) % LETTERS).tolist()
    characters = [4 * STRETCH - 1] * len(texts)
    examples = {
        "symbols": texts,
        "characters": characters,
        "bytes": characters,
        "bands": random.integers(-(2**62), 2**62, (len(texts), BANDS)).tolist(),
        "written_at": pa.array(np.arange(len(texts)) * 60_000_000, pa.timestamp("us", "UTC")),
        "window": [WINDOW] * len(texts),
    }
    numbers = np.arange(LETTERS)
    letters = {
        "symbol": [chr(ord("a") + number) for number in numbers],
        "symbol_number": FIRST_SYMBOL + numbers,
        "first_window": [WINDOW] * LETTERS,
    }
    return _committed(folder, (TEXTS, pa.table(examples)), (SYMBOLS, SYMBOLS.filled(pa.table(letters))))


def _language(_: str) -> dict[str, JsonValue]:
    return {"network": {"width": SIZES.width, "heads": 2, "blocks": SIZES.blocks}, "context": STRETCH}


def _write_sounds(folder: Path) -> TablesAt:
    """Write sounds of some lengths in which each letter is a band that is louder than the others."""
    random = np.random.default_rng(0)
    letter_NS = random.integers(0, MELS, (LEARNED, WORD))
    frames = random.integers(*FRAMES, LEARNED)
    sounds = []
    for letter_S, count in zip(letter_NS, frames, strict=True):
        sound_TM = random.normal(5, 1, (count, MELS))
        sound_TM[np.arange(count), letter_S[np.arange(count) * WORD // count]] += 4
        sounds.append(sound_TM.astype(np.float16).tobytes())
    examples = {
        "log_mel": sounds,
        "frames": frames.astype(np.int32),
        "text": ["".join(chr(ord("a") + letter) for letter in letter_S) for letter_S in letter_NS],
        "known_at": pa.array(np.arange(LEARNED) * 60_000_000, pa.timestamp("us", "UTC")),
        "window": [WINDOW] * LEARNED,
        "digest": np.arange(LEARNED),
    }
    numbers = np.arange(MELS)
    letters = {
        "symbol": [chr(ord("a") + number) for number in numbers],
        "symbol_number": FIRST_SYMBOL + numbers,
        "first_window": [WINDOW] * MELS,
    }
    return _committed(folder, (SOUNDS, SOUNDS.filled(pa.table(examples))), (SYMBOLS, SYMBOLS.filled(pa.table(letters))))


def _speech(_: str) -> dict[str, JsonValue]:
    """Return settings under which sounds are changed: by draws of their own, whoever takes them."""
    shape: dict[str, JsonValue] = {"width": SIZES.width, "heads": 2, "blocks": SIZES.blocks, "channels": 4}
    return {"network": {**shape, "dropout": 0.0}}


RECOMMENDER = Subject("recommender", "recommender", _write_walks, _recommender, {"max_length": SIZES.length})
HSTU = Subject("recommender: hstu", "recommender", _write_walks, _hstu, {"max_length": SIZES.length})
RISK = Subject("risk", "risk", _write_transactions, _risk, {})
VISION = Subject(
    "vision",
    "vision",
    _write_pictures,
    _vision,
    {"size": SIDE, "channels": "grey"},
    refused=("zero_bubble",),
    has_rows=False,
)
MEDICAL = replace(VISION, name="medical", use_case="medical", model=_medical)
LANGUAGE = Subject("language", "language", _write_texts, _language, {"tokens": "characters"}, has_rows=False)
SPEECH = Subject("speech", "speech", _write_sounds, _speech, {"rate": 8_000, "mels": MELS}, has_rows=False)
