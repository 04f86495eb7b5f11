"""Tables of made-up texts, as `preprocess` promises them, and jobs on them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import pyarrow as pa
import torch

from data_contracts.job import Config, TablesAt
from data_contracts.language.examples import EXAMPLES
from data_contracts.language.spelling import Characters, Spelling, Subwords, code_points
from data_contracts.language.symbols import FIRST, SYMBOLS
from data_contracts.language.twins import bands
from data_contracts.manifest import seal
from data_contracts.table import Table
from models.language.config import LanguageConfig
from models.language.weights import Weights, new_network, record_of, save
from tasks.preprocess.language.numbering import number_pairs
from tasks.preprocess.language.subwords import learn
from tests.data_contracts.language.made_up import stories
from tests.models import jobs

FEATURES: Config = {"tokens": "characters"}
NETWORK: Config = {"width": 16, "heads": 2, "blocks": 2}
CONFIG: Config = {
    "network": NETWORK,
    "context": 16,
    "fit": {"batch_size": 24, "max_epochs": 2, "warm_up_steps": 5},
}
OWN = {"use_case": "language", "config": CONFIG, "features": FEATURES}
fit_job, evaluate_job = partial(jobs.fit_job, **OWN), partial(jobs.evaluate_job, **OWN)
KNOWN = tuple(sorted(set(b"".join(stories(60)).decode())))
"""Characters of made-up texts."""
SUBWORDS: Config = {"tokens": "subwords", "vocabulary": 320}
PAIRS = tuple(learn(stories(60), 320))
"""What is merged in made-up texts."""


def write_tables(folder: Path, texts: Mapping[str, list[bytes]]) -> TablesAt:
    """Commit texts of each window; characters that made-up ones do not have are of the last."""
    strange = sorted({character for own in texts.values() for text in own for character in text.decode()} - set(KNOWN))
    symbols, examples = Table(str(folder), SYMBOLS), Table(str(folder), EXAMPLES)
    all_symbols = (*KNOWN, *strange)
    first = [next(iter(texts))] * len(KNOWN) + [list(texts)[-1]] * len(strange)
    numbers = list(range(FIRST, FIRST + len(all_symbols)))
    rows = pa.table({"symbol": all_symbols, "symbol_number": numbers, "first_window": first})
    symbols.commit(symbols.write(SYMBOLS.filled(rows), "part"), ["documents@0"])
    _write_examples(examples, Characters(all_symbols), texts)
    return TablesAt(folder=str(folder), versions={"documents": 0, "symbols": 0, "examples": 0})


def write_subwords(folder: Path, texts: Mapping[str, list[bytes]]) -> TablesAt:
    """Commit texts of each window as subwords, `PAIRS`."""
    symbols = Table(str(folder), SYMBOLS)
    symbols.commit(symbols.write(number_pairs(PAIRS, next(iter(texts))).to_arrow(), "part"), ["documents@0"])
    _write_examples(Table(str(folder), EXAMPLES), Subwords(PAIRS), texts)
    return TablesAt(folder=str(folder), versions={"documents": 0, "symbols": 0, "examples": 0})


def _write_examples(examples: Table, spelling: Spelling, texts: Mapping[str, list[bytes]]) -> None:
    parts = []
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


def write_weights(
    folder: Path, *, symbols: tuple[str, ...] = KNOWN, seed: int = 0, features: Config = FEATURES
) -> Path:
    """Write fresh weights; another seed gives other ones."""
    config = LanguageConfig.model_validate(CONFIG)
    torch.manual_seed(seed)
    save(Weights(new_network(record_of(config, features, symbols)), config, features, symbols), folder)
    seal(folder)
    return folder
