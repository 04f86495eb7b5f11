"""Tables of made-up texts, as `preprocess` promises them, and jobs on them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import torch

from data_contracts.job import Config, EvaluateJob, FitJob, TablesAt, Validation
from data_contracts.language.examples import EXAMPLES
from data_contracts.language.spelling import Characters, code_points
from data_contracts.language.symbols import FIRST, SYMBOLS
from data_contracts.language.twins import bands
from data_contracts.manifest import seal
from data_contracts.table import Table
from models.language.config import LanguageConfig
from models.language.weights import Weights, new_network, record_of, save
from tests.data_contracts.language.made_up import stories

FEATURES: Config = {"tokens": "characters"}
NETWORK: Config = {"width": 16, "heads": 2, "blocks": 2}
CONFIG: Config = {
    "network": NETWORK,
    "context": 16,
    "fit": {"batch_size": 24, "max_epochs": 2, "warm_up_steps": 5},
}
WINDOWS = ("2026-03-01", "2026-03-02")
JUDGED = "2026-03-03"
KNOWN = tuple(sorted(set(b"".join(stories(60)).decode())))
"""Characters of made-up texts."""


def write_tables(folder: Path, texts: Mapping[str, list[bytes]]) -> TablesAt:
    """Commit texts of each window; characters that made-up ones do not have are of the last."""
    strange = sorted({character for own in texts.values() for text in own for character in text.decode()} - set(KNOWN))
    symbols, examples = Table(str(folder), SYMBOLS), Table(str(folder), EXAMPLES)
    all_symbols = (*KNOWN, *strange)
    first = [next(iter(texts))] * len(KNOWN) + [list(texts)[-1]] * len(strange)
    numbers = list(range(FIRST, FIRST + len(all_symbols)))
    rows = pa.table({"symbol": all_symbols, "symbol_number": numbers, "first_window": first})
    symbols.commit(symbols.write(rows, "part"), ["documents@0"])
    spelling, parts = Characters(all_symbols), []
    for number, (window, own) in enumerate(texts.items()):
        columns = {
            "symbols": [spelling.numbers(text).tolist() for text in own],
            "characters": [len(code_points(text)) for text in own],
            "bytes": list(map(len, own)),
            "bands": [bands(text).tolist() for text in own],
            "written_at": [datetime.combine(date.fromisoformat(window), datetime.min.time(), UTC)] * len(own),
            "window": [window] * len(own),
        }
        parts += examples.write(pa.table(columns), f"part-{number}")
    examples.commit(parts, ["documents@0"])
    return TablesAt(folder=str(folder), versions={"documents": 0, "symbols": 0, "examples": 0})


def fit_job(tables: TablesAt, folder: Path, **changes: object) -> FitJob:
    """Say what to train: both windows, of which the second validates."""
    told = {
        "use_case": "language",
        "run_folder": str(folder),
        "tables": tables,
        "windows": WINDOWS,
        "known_windows": WINDOWS,
        "validation": Validation(window=WINDOWS[1]),
        "config": CONFIG,
        "features": FEATURES,
        "tracking_uri": "sqlite://",
        "run_id": "run",
    }
    return FitJob.model_validate(told | changes)


def evaluate_job(tables: TablesAt, contestants: Mapping[str, Path], **changes: object) -> EvaluateJob:
    """Say what to judge: the last of three windows."""
    told = {
        "use_case": "language",
        "tables": tables,
        "window": JUDGED,
        "first_day": date(2026, 3, 3),
        "known_windows": WINDOWS,
        "validation": Validation(window=WINDOWS[1]),
        "contestants": {name: str(folder) for name, folder in contestants.items()},
        "config": CONFIG,
        "features": FEATURES,
        "work_folder": "",
    }
    return EvaluateJob.model_validate(told | changes)


def write_weights(folder: Path, *, symbols: tuple[str, ...] = KNOWN, seed: int = 0) -> Path:
    """Write fresh weights; another seed gives other ones."""
    config = LanguageConfig.model_validate(CONFIG)
    torch.manual_seed(seed)
    save(Weights(new_network(record_of(config, FEATURES, symbols)), config, FEATURES, symbols), folder)
    seal(folder)
    return folder
