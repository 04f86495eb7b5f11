"""The contestants that need no training: counts of what was there before the judged window, the newest of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from data_contracts.job import EvaluateJob
from data_contracts.language.spelling import spelling
from models.language.metrics import FIVE_GRAM, ONE_GRAM
from models.language.ngrams import NGrams
from models.language.reading import batches, count_symbols, documents, symbols
from models.language.surprise import Symbols

MOST_SYMBOLS = 20_000_000
"""That are counted, the newest."""
ORDERS = {ONE_GRAM: 1, FIVE_GRAM: 5}
"""Baseline to how many symbols it looks at together."""

logger = logging.getLogger(__name__)


def baselines(job: EvaluateJob) -> dict[str, NGrams]:
    """Count what was there before the window, and nothing of characters that came with it.

    Args:
        job: Names the windows.

    Raises:
        ValueError: There is no document before the window.
    """
    sizes = _sizes(job)
    if not any(sizes.values()):
        raise ValueError(f"no document in windows {', '.join(job.known_windows)}: baselines know nothing.")
    counted = f"{min(sum(sizes.values()), MOST_SYMBOLS):,}"
    logger.info("window %s: counts are of the newest %s symbols before it", job.window, counted)
    known = spelling(str(job.features["tokens"]), symbols(job.tables, job.known_windows)).count
    return {name: NGrams(_newest(job, sizes), order, known) for name, order in ORDERS.items()}


def _sizes(job: EvaluateJob) -> dict[str, int]:
    """Return symbols by window, in their order, of as many of the newest windows as hold what is counted."""
    found = dict[str, int]()
    for window in reversed(job.known_windows):
        if sum(found.values()) >= MOST_SYMBOLS:
            break
        found[window] = count_symbols(job.tables, [window], str(job.features["tokens"]))
    return dict(reversed(found.items()))


def _newest(job: EvaluateJob, sizes: dict[str, int]) -> Iterator[Symbols]:
    """Yield the newest documents, a few of them in memory at once; of the first one that would be too much all."""
    later = sum(sizes.values())
    for batch in batches(job.tables, list(sizes), ["symbols"]):
        for text in documents(batch):
            later -= len(text)
            if later < MOST_SYMBOLS:
                yield text
