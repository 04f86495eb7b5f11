from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import polars_hash as plh
import pyarrow.compute as pc
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.job import FitJob, TablesAt, Validation
from data_contracts.parallelism import ParallelismConfig
from data_contracts.recommender.examples import EXAMPLES
from data_contracts.table import Table
from models.batches import Batches, Share, dealt
from models.fit_config import FitConfig
from models.recommender.data import CONTEXT, RecommenderData, SequenceExamples
from models.recommender.module import Batch
from models.recommender.replay import draw, quotas
from models.recommender.sequences import Sequences
from models.trainer import make_trainer
from tests.models.recommender.tables import Events, write_tables

USERS = [f"user-{number}" for number in range(200)]
VALIDATING = pl.DataFrame({"u": USERS}).filter(plh.col("u").nchash.xxhash64() % 20 == 0)["u"].to_list()


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> TablesAt:
    """Two windows of 200 users; in the second, everybody buys item 9, new to all, and views 6 again."""
    first: dict[str, Events] = {user: [1 + number % 4, 5, 6, 7 + number % 2] for number, user in enumerate(USERS)}
    second: dict[str, Events] = {user: [(9, "buy"), (6, "view")] for user in USERS}
    return write_tables(tmp_path_factory.mktemp("tables"), {"a": first, "b": second, "c": {"user-0": [2]}})


def fit_job(
    tables: TablesAt, *, config: dict[str, object] | None = None, replay: float = 0, every_user: bool = False
) -> FitJob:
    values = {
        "use_case": "recommender",
        "run_folder": "",
        "tables": tables,
        "windows": ("b",),
        "replayed": ("a",) if replay else (),
        "replay": replay,
        "known_windows": ("a", "b"),
        "validation": Validation(window="b", whole=every_user),
        "config": config or {},
        "features": {"max_length": 4},
        "tracking_uri": "",
        "run_id": "",
    }
    return FitJob.model_validate(values)


def read(job: FitJob) -> RecommenderData:
    data = RecommenderData(job)
    data.setup("fit")
    return data


def test_validating_users_are_not_learned_from(tables: TablesAt) -> None:
    data = read(fit_job(tables))
    assert VALIDATING
    assert len(data.validation) == len(VALIDATING)
    assert len(data.training) == len(USERS) - len(VALIDATING)


def test_when_every_user_validates_there_is_nothing_left_to_learn_and_that_is_said(tables: TablesAt) -> None:
    with pytest.raises(ValueError, match=r"no example to learn from in windows b .*Check model\.target_events"):
        read(fit_job(tables, every_user=True))


def test_replay_adds_as_many_examples_of_older_windows(tables: TablesAt) -> None:
    new = len(USERS) - len(VALIDATING)
    assert len(read(fit_job(tables, replay=0.5)).training) == new + round(0.5 * new)
    assert len(read(fit_job(tables, replay=50)).training) == new + len(USERS)


def test_only_targets_of_the_events_asked_for_count(tables: TablesAt) -> None:
    data = read(fit_job(tables, config={"target_events": ["buy"]}))
    assert set(data.training.sequences.item[data.training.sequences.learned]) == {9}


def test_a_repeat_is_learned_only_where_seen_items_may_be_recommended(tables: TablesAt) -> None:
    assert set(read(fit_job(tables)).training.targets()) == {1}
    assert set(read(fit_job(tables, config={"exclude_seen": False})).training.targets()) == {2}


def test_a_training_computes_the_end_of_a_context_and_what_validates_reads_all(tmp_path: Path) -> None:
    learner = next(user for user in USERS if user not in VALIDATING)
    before: dict[str, Events] = {user: list(range(1, 2 * CONTEXT)) for user in (learner, VALIDATING[0])}
    new: dict[str, Events] = {user: [2 * CONTEXT, 2 * CONTEXT + 1] for user in before}
    data = read(fit_job(write_tables(tmp_path, {"a": before, "b": new}, max_length=4 * CONTEXT)))
    assert data.training.sequences.item.tolist() == list(range(CONTEXT, 2 * CONTEXT + 2))
    assert data.validation.sequences.item.tolist() == list(range(1, 2 * CONTEXT + 2))


def test_rare_items_and_users_are_left_out(tables: TablesAt) -> None:
    data = read(fit_job(tables, config={"min_item_count": 101}))
    assert set(data.training.sequences.item) == {5, 6, 9}
    with pytest.raises(ValueError, match="0 examples"):
        read(fit_job(tables, config={"min_user_count": 7}))


def test_a_draw_is_the_nights_own_has_no_example_twice_and_stays_in_its_windows(tables: TablesAt) -> None:
    dataset = Table(tables.folder, EXAMPLES).dataset(tables.versions["examples"])
    nights = ((0, "b"), (0, "b"), (1, "b"), (0, "c"))
    first, again, other, later = (draw(dataset, ("a",), 50, seed=seed, night=night) for seed, night in nights)
    assert first.equals(again)
    assert not first.equals(other)
    assert not first.equals(later)
    assert pc.count_distinct(first["user_id"]).as_py() == 50
    assert set(first["window"].to_pylist()) == {"a"}
    assert draw(dataset, (), 50, seed=0, night="b").num_rows == 0


def test_every_old_window_is_replayed_by_its_share(tmp_path: Path) -> None:
    """Thirty of equal size, and one twice as large."""
    old = {f"w{number:02}": {user: [1, 2] for user in USERS[:100]} for number in range(30)}
    windows: dict[str, dict[str, Events]] = {**old, "wide": {user: [1, 2] for user in USERS}}
    tables = write_tables(tmp_path, windows)
    dataset = Table(tables.folder, EXAMPLES).dataset(tables.versions["examples"])
    for rows in (640, 7):
        drawn = Counter(draw(dataset, tuple(windows), rows, seed=0, night="w").column("window").to_pylist())
        assert drawn.total() == rows
        assert all(abs(drawn[window] - rows / 32) < 1 for window in old), drawn
        assert abs(drawn["wide"] - rows / 16) < 1


def test_examples_lie_in_small_row_groups(tmp_path: Path) -> None:
    """So that a draw from many windows reads little of each."""
    many: dict[str, Events] = {f"user-{number}": [1, 2] for number in range(5_000)}
    tables = write_tables(tmp_path, {"a": many})
    dataset = Table(tables.folder, EXAMPLES).dataset(tables.versions["examples"])
    groups = [group for each in dataset.get_fragments() for group in each.split_by_row_group()]
    assert [group.row_groups[0].num_rows for group in groups] == [4096, 904]


@given(st.lists(st.integers(0, 10**9), max_size=40), st.integers(0, 10**9))
def test_quotas_add_up_and_are_within_a_row_of_the_share(counts: list[int], rows: int) -> None:
    found, there = quotas(counts, rows), sum(counts)
    assert sum(found) == min(rows, there)
    for quota, count in zip(found, counts, strict=True):
        assert 0 <= quota <= count
        assert abs(quota * there - min(rows, there) * count) < max(there, 1)


def shares(rows: int, batch_size: int, world_size: int) -> list[list[Batch]]:
    """Batches of each rank; row r holds the items 1 and r + 2."""
    item = np.stack([np.ones(rows, np.int64), np.arange(rows) + 2], axis=1).ravel()
    learned, window = np.tile([False, True], rows), (np.arange(rows) % 2).astype(np.int32)
    sequences = Sequences(item, np.zeros(len(item), np.int64), learned, np.arange(rows + 1) * 2, window)
    order = np.random.default_rng(0).permutation(rows)
    ranks = range(world_size)
    of = SequenceExamples(sequences, ("a", "b"), length=0, seed=0)
    return [list(Batches(of, order, batch_size, rank, world_size, first_step=5)) for rank in ranks]


@pytest.mark.parametrize(("rows", "world_size"), [(10, 2), (9, 4), (1, 2)])
def test_global_batches_do_not_depend_on_how_many_share_them(rows: int, world_size: int) -> None:
    alone = shares(rows, 4, 1)[0]
    shared = list(zip(*shares(rows, 4, world_size), strict=True))
    assert len(shared) == len(alone) == -(-rows // 4)
    for step, (whole, parts) in enumerate(zip(alone, shared, strict=True)):
        together = torch.cat([part.targets.item_BL.ravel() for part in parts])
        assert sorted(together[together > 0].tolist()) == sorted(whole.targets.item_BL.ravel().tolist())
        for part in parts:
            assert part.targets.total == whole.targets.total == int(whole.targets.item_BL.count_nonzero())
            assert part.targets.step == 5 + step
            assert part.examples == whole.examples


def test_what_validates_comes_once_and_in_the_order_of_its_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")  # the first would log
    longer = {user: [1 + number % 9 for number in range(2 + place)] for place, user in enumerate(VALIDATING[::-1])}
    users: dict[str, Events] = {**longer, "user-0": [1, 2]}
    job = fit_job(write_tables(tmp_path, {"a": {}, "b": users}, max_length=100))
    data = read(job)
    data.trainer = make_trainer(job, ParallelismConfig(processes_per_node=1), FitConfig(batch_size=3), [])
    batches = data.val_dataloader()
    rows = [row for batch in batches for row in batch.rows]
    assert sorted(rows) == list(range(len(VALIDATING)))
    assert (np.diff(data.validation.lengths()[rows]) >= 0).all()


def test_every_example_comes_once_in_an_epoch() -> None:
    targets = torch.cat([batch.targets.item_BL for batch in shares(10, 4, 1)[0]])
    assert sorted(targets.ravel().tolist()) == list(range(2, 12))


def test_a_training_draws_an_order_of_what_was_met_at_one_moment_in_each_step_and_validation_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")  # the first would log
    noon = datetime(2026, 1, 7, 12, tzinfo=UTC)
    at_once: Events = [(item, "view", noon) for item in range(1, 9)]
    tables = write_tables(tmp_path, {"a": {}, "b": dict.fromkeys(USERS, at_once)}, max_length=20)
    data = read(fit_job(tables))
    rows = np.arange(3)
    first, again, later = (
        data.training.batch(rows, Share(3, 21, step, height=1, fixed=False)).targets.item_BL for step in (4, 4, 5)
    )
    assert first.equal(again)
    assert not first.equal(later)
    assert first.sort(dim=1).values.equal(later.sort(dim=1).values)
    validating = data.validation.batch(rows, Share(3, 21, 4, height=1, fixed=False)).targets.item_BL
    assert validating.equal(data.validation.sequences.padded(rows)[1])


def test_a_batch_says_from_which_windows_it_is() -> None:
    for batch in shares(10, 4, 2)[0]:
        assert batch.origin == ", ".join(sorted({"ab"[row % 2] for row in batch.rows}))


def test_a_loader_goes_on_where_it_was_whatever_the_world() -> None:
    whole = shares(10, 4, 1)[0]
    learned, window = np.tile([False, True], 10), np.zeros(10, np.int32)
    sequences = Sequences(np.arange(20) + 1, np.arange(20), learned, np.arange(11) * 2, window)
    order = np.random.default_rng(0).permutation(10)
    later = Batches(SequenceExamples(sequences, ("a",), length=0), order, 4, 0, 2)
    later.load_state_dict({"taken": 1})
    assert [len(batch.rows) for batch in later] == [2, 1]
    assert later.state_dict() == {"taken": len(whole)}


@given(st.lists(st.integers(1, 200), min_size=1, max_size=64), st.integers(1, 8))
def test_rows_are_dealt_so_that_all_processes_finish_together(lengths: list[int], world_size: int) -> None:
    length = np.array(lengths)
    process = dealt(length, world_size)
    rows = np.bincount(process, minlength=world_size)
    assert rows.max() - rows.min() <= 1
    work = np.bincount(process, weights=length, minlength=world_size)
    assert work.max() - work.min() <= 2 * length.max()
