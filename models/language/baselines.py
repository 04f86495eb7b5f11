"""The contestants that need no training: counts of what was there before the judged window, the newest of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pyarrow.compute as pc

from data_contracts.job import EvaluateJob
from data_contracts.language.spelling import Bytes, Characters
from models.language.metrics import FIVE_GRAM, ONE_GRAM
from models.language.ngrams import NGrams
from models.language.reading import batches, documents, symbols
from models.language.surprise import Symbols

MOST_SYMBOLS = 20_000_000
"""That are counted, the newest."""
ORDERS = {ONE_GRAM: 1, FIVE_GRAM: 5}
"""Baseline to how many symbols it looks at together."""

logger = logging.getLogger(__name__)


def baselines(job: EvaluateJob, own: Bytes | Characters) -> dict[str, NGrams]:
    """Count what was there before the window, and nothing of characters that came with it.

    Args:
        job: Names the windows.
        own: What the documents are made to.

    Raises:
        ValueError: There is no document before the window.
    """
    sizes = _sizes(job)
    if not any(sizes.values()):
        raise ValueError(f"no document in windows {', '.join(job.known_windows)}: baselines know nothing.")
    counted = f"{min(sum(sizes.values()), MOST_SYMBOLS):,}"
    logger.info("window %s: counts are of the newest %s symbols before it", job.window, counted)
    is_bytes = isinstance(own, Bytes)
    known = own.count if is_bytes else Characters(symbols(job.tables, job.known_windows)).count
    return {name: NGrams(_newest(job, sizes), order, known) for name, order in ORDERS.items()}


def _sizes(job: EvaluateJob) -> dict[str, int]:
    """Return symbols by window, in their order, of as many of the newest windows as hold what is counted."""
    column, found = "bytes" if job.features["tokens"] == "bytes" else "characters", dict[str, int]()
    for window in reversed(job.known_windows):
        if sum(found.values()) >= MOST_SYMBOLS:
            break
        found[window] = sum(pc.sum(each[column]).as_py() or 0 for each in batches(job.tables, [window], [column]))
    return dict(reversed(found.items()))


def _newest(job: EvaluateJob, sizes: dict[str, int]) -> Iterator[Symbols]:
    """Yield the newest documents, a few of them in memory at once; of the first one that would be too much all."""
    later = sum(sizes.values())
    for batch in batches(job.tables, list(sizes), ["symbols"]):
        for text in documents(batch):
            later -= len(text)
            if later < MOST_SYMBOLS:
                yield text
