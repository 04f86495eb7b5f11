"""Tables of made-up speech, as `preprocess` promises them, and jobs on them."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import pyarrow as pa
import torch

from data_contracts.job import Config, TablesAt
from data_contracts.language.symbols import FIRST, SYMBOLS
from data_contracts.manifest import seal
from data_contracts.payloads.sounds import Sounds
from data_contracts.speech.examples import EXAMPLES
from data_contracts.speech.log_mel import Frames, log_mel
from data_contracts.table import Table
from models.speech.config import SpeechConfig
from models.speech.weights import Weights, new_network, record_of, save
from tests.data_contracts.speech.made_up import LETTERS, RATE, spoken, texts
from tests.models import jobs

MELS = 16
FEATURES: Config = {"rate": RATE, "mels": MELS}
NETWORK: Config = {"width": 16, "heads": 2, "blocks": 2, "channels": 4, "dropout": 0.0}
CONFIG: Config = {"network": NETWORK, "fit": {"batch_size": 24, "max_epochs": 3, "warm_up_steps": 5}}
OWN = {"use_case": "speech", "config": CONFIG, "features": FEATURES}
SYMBOLS_MET = (" ", *LETTERS)
fit_job, evaluate_job = partial(jobs.fit_job, **OWN), partial(jobs.evaluate_job, **OWN)

Said = Mapping[str, Sequence[str]]
"""Window to what is said in it."""


def said(counts: Mapping[str, int]) -> Said:
    """Return so many texts for each window."""
    return {window: texts(count, seed=number) for number, (window, count) in enumerate(counts.items())}


def write_tables(
    folder: Path,
    told: Said,
    *,
    speakers: Sequence[str | None] = (None,),
    noise: Sequence[int] = (0, 1, 2),
    texts: Said | None = None,
) -> TablesAt:
    """Commit recordings of these texts to their windows.

    Args:
        folder: Of the tables.
        told: What is said.
        speakers: Speak in turn.
        noise: Of each window; the same gives copies of what says the same.
        texts: What is said according to the tables, if that is something else.
    """
    symbols, examples = Table(str(folder), SYMBOLS), Table(str(folder), EXAMPLES)
    numbers = [FIRST + place for place in range(len(SYMBOLS_MET))]
    rows = {"symbol": SYMBOLS_MET, "symbol_number": numbers, "first_window": [next(iter(told))] * len(numbers)}
    symbols.commit(symbols.write(SYMBOLS.filled(pa.table(rows)), "part"), ["recordings@0"])
    parts = []
    for number, (window, own) in enumerate(told.items()):
        made = [heard(text, seed=1_000 * noise[number] + place) for place, text in enumerate(own)]
        columns = {
            "log_mel": [each.tobytes() for each in made],
            "frames": list(map(len, made)),
            "text": own if texts is None else texts[window],
            "known_at": [datetime.combine(date.fromisoformat(window), datetime.min.time(), UTC)] * len(own),
            "window": [window] * len(own),
            "speaker_id": pa.array([speakers[place % len(speakers)] for place in range(len(own))], pa.string()),
            "digest": [zlib.crc32(each.tobytes()) for each in made],
        }
        parts += examples.write(EXAMPLES.conform(pa.table(columns)), f"part-{number}")
    examples.commit(parts, ["recordings@0"])
    return TablesAt(folder=str(folder), versions={"recordings": 0, "symbols": 0, "examples": 0})


def heard(text: str, *, seed: int = 0) -> Frames:
    """Return the frames of a text."""
    return log_mel(Sounds().decoded(spoken(text, seed=seed)), rate=RATE, mels=MELS)


def write_weights(folder: Path, *, symbols: tuple[str, ...] = SYMBOLS_MET, seed: int = 0) -> Path:
    """Write fresh weights; another seed gives other ones."""
    config = SpeechConfig.model_validate(CONFIG)
    record = record_of(config, FEATURES, symbols, ("ab", "cd"))
    torch.manual_seed(seed)
    save(Weights(new_network(record), config, record), folder)
    seal(folder)
    return folder
