"""What is learned from, and what validates: one row in twenty, spread over all of the time.

The newest rows are those that matter most, and must be learned; and their share of bad is another, so that log loss on
them alone took the first epoch for the best. Whether what is learned holds in time, the window that judges says.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data_contracts.job import FitJob
from models.risk.rows import Rows, read

VALIDATING_SHARE = 20
"""Of the rows with a label, one in so many validates."""


def learned_from(job: FitJob, seed: int) -> Rows:
    """Return the rows with a label of the job's windows but for those that validate, and some of older windows.

    Args:
        job: Names the tables and windows, and how many older rows are drawn.
        seed: Of the draw; each night draws others.

    Raises:
        ValueError: There is none.
    """
    own = read(job.tables, job.windows).labelled()
    learned = own.taken(np.flatnonzero(~_validates(own)))
    if not len(learned.labels):
        raise ValueError(
            f"no transaction to learn from in windows {', '.join(job.windows)} of {job.tables.folder}: "
            f"{len(own.labels):,} have a label, and the first validates. Bring more days."
        )
    if not job.replayed:
        return learned
    older = read(job.tables, job.replayed).labelled()
    wanted = min(round(job.replay * len(learned.labels)), len(older.labels))
    chance = np.random.default_rng([seed, *job.known_windows[-1].encode()])
    drawn = older.taken(np.sort(chance.choice(len(older.labels), wanted, replace=False)))
    return Rows(*(np.concatenate(both) for both in zip(drawn, learned, strict=True)))


def validated_on(job: FitJob) -> Rows:
    """Return the rows with a label of the job's windows that nobody learns from."""
    own = read(job.tables, job.windows).labelled()
    return own.taken(np.flatnonzero(_validates(own)))


def _validates(rows: Rows) -> NDArray[np.bool_]:
    chosen: NDArray[np.bool_] = np.arange(len(rows.labels)) % VALIDATING_SHARE == 0
    return chosen
