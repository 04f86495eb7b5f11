from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data_contracts.job import TablesAt
from models.risk.rows import read
from models.risk.split import learned_from, validated_on
from tests.models.risk.tables import CONFIG, JUDGED, KNOWN, fit_job


def test_one_row_in_twenty_validates_and_nobody_learns_from_it(tables: TablesAt, tmp_path: Path) -> None:
    job = fit_job(tmp_path, tables, CONFIG)
    learned, validating = learned_from(job, seed=0), validated_on(job)
    every = read(tables, KNOWN).labelled()
    np.testing.assert_array_equal(validating.inputs, every.inputs[::20])
    assert len(learned.labels) + len(validating.labels) == len(every.labels)
    assert len(validating.labels) == -(-len(every.labels) // 20)
    assert not np.isnan(every.labels).any()


def test_of_older_windows_as_many_are_drawn_as_is_said_others_each_night(tables: TablesAt, tmp_path: Path) -> None:
    job = fit_job(tmp_path, tables, CONFIG)
    own = job.model_copy(
        update={"windows": (JUDGED,), "replayed": KNOWN, "replay": 0.5, "known_windows": (*KNOWN, JUDGED)}
    )
    alone = learned_from(own.model_copy(update={"replayed": ()}), seed=0)
    learned = learned_from(own, seed=0)
    assert len(learned.labels) == len(alone.labels) + round(0.5 * len(alone.labels))
    np.testing.assert_array_equal(learned_from(own, seed=0).inputs, learned.inputs)
    other = learned_from(own.model_copy(update={"known_windows": ("another",)}), seed=0)
    assert not np.array_equal(other.inputs, learned.inputs)


def test_a_night_without_a_label_has_nothing_to_learn_from(tables: TablesAt, tmp_path: Path) -> None:
    job = fit_job(tmp_path, tables, CONFIG).model_copy(update={"windows": ("1999-01-01",)})
    with pytest.raises(ValueError, match="no transaction to learn from in windows 1999-01-01"):
        learned_from(job, seed=0)
