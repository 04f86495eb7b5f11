from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from models.recommender.config import RecommenderConfig
from models.recommender.moments import Draw
from models.recommender.sequences import Sequences

ITEMS = 7
COUNTS = np.array([0, 9, 9, 9, 9, 1, 9])
"""Item 5 is rare, item 7 unknown."""

NOON = datetime(2026, 1, 7, 12, tzinfo=UTC)

Example = tuple[list[int], list[tuple[int, str]]]
EXAMPLES = st.lists(
    st.tuples(
        st.lists(st.integers(1, ITEMS), max_size=4),
        st.lists(st.tuples(st.integers(1, ITEMS), st.sampled_from(["view", "buy"])), min_size=1, max_size=4),
    ),
    max_size=6,
)
CONFIGS = st.builds(
    RecommenderConfig,
    target_events=st.sampled_from([(), ("buy",)]),
    min_item_count=st.sampled_from([1, 2]),
    exclude_seen=st.booleans(),
)


def met(example: Example) -> list[datetime]:
    """When each event of an example was met: the n-th n squared minutes after noon."""
    context, target = example
    return [NOON + timedelta(minutes=place**2) for place in range(len(context) + len(target))]


def sequences(examples: list[Example], config: RecommenderConfig, *, known: bool = True) -> Sequences:
    """Take them in; times of the context may be unknown."""
    lists, times = pa.list_(pa.int32()), pa.list_(pa.timestamp("us", "UTC"))
    before = [met(example)[: len(example[0])] if known else None for example in examples]
    table = pa.table(
        {
            "context": pa.array([context for context, _ in examples], lists),
            "target": pa.array([[item for item, _ in target] for _, target in examples], lists),
            "target_event": pa.array([[kind for _, kind in target] for _, target in examples], pa.list_(pa.string())),
            "context_timestamp": pa.array(before, times),
            "target_timestamp": pa.array([met(example)[len(example[0]) :] for example in examples], times),
        }
    )
    window = pa.array(["a"] * len(table), pa.string())
    return Sequences.of(table.append_column("window", window), COUNTS, config, ("a",))


def naive(examples: list[Example], config: RecommenderConfig) -> list[tuple[list[list[int]], list[int]]]:
    """Inputs (items, and when they were met) and targets of each example that has a target, one event at a time."""
    rows = []
    for example in examples:
        context, target = example
        events = [(item, "", False) for item in context] + [(item, kind, True) for item, kind in target]
        timed = [
            (*event, int(time.timestamp()))
            for event, time in zip(events, met(example), strict=True)
            if event[0] < 7 and COUNTS[event[0]] >= config.min_item_count
        ]
        items = [item for item, *_ in timed]
        wanted = []
        for place, (item, kind, is_target, _) in enumerate(timed[1:], start=1):
            counts = is_target and (not config.target_events or kind in config.target_events)
            wanted.append(item if counts and not (config.exclude_seen and item in items[:place]) else 0)
        if any(wanted):
            rows.append(([[item, second] for item, _, _, second in timed[:-1]], wanted))
    return rows


@settings(deadline=None, max_examples=200)
@given(EXAMPLES, CONFIGS)
def test_padded_rows_are_what_a_loop_would_make_of_them(examples: list[Example], config: RecommenderConfig) -> None:
    expected = naive(examples, config)
    got = sequences(examples, config)
    assert len(got) == len(expected)
    expected = expected or [([[0, 0]], [0])]
    inputs, targets = got.padded(np.arange(len(got)))
    width = inputs.shape[1]
    for (row, _), items, seconds in zip(expected, *inputs.permute(2, 0, 1).tolist(), strict=True):
        assert items == [item for item, _ in row] + [0] * (width - len(row))
        assert seconds[: len(row)] == [second for _, second in row]
    assert targets.tolist() == [row + [0] * (width - len(row)) for _, row in expected]
    assert got.targets().sum() == sum(np.count_nonzero(row) for _, row in expected)


@given(EXAMPLES, CONFIGS, st.integers(1, 4))
def test_shortened_rows_keep_all_targets_and_so_many_items_before_the_first(
    examples: list[Example], config: RecommenderConfig, context: int
) -> None:
    left = []
    for row, wanted in naive(examples, config):
        first = next(place for place, item in enumerate(wanted) if item)
        start = max(first + 1 - context, 0)
        left.append((row[start:], wanted[start:]))
    shortened = sequences(examples, config).shortened(context)
    assert [len(row) for row, _ in left] == [length - 1 for length in shortened.lengths()]
    inputs, targets = shortened.padded(np.arange(len(left)))
    for (row, wanted), input_L, target_L in zip(left, inputs.tolist(), targets.tolist(), strict=bool(left)):
        assert input_L[: len(row)] == row
        assert target_L[: len(row)] == wanted


def test_rows_can_be_taken_in_any_order() -> None:
    got = sequences([([1], [(2, "view")]), ([3, 4], [(6, "view"), (1, "buy")])], RecommenderConfig())
    inputs, targets = got.padded(np.array([1, 0, 1]))
    assert inputs[..., 0].tolist() == [[3, 4, 6], [1, 0, 0], [3, 4, 6]]
    assert targets.tolist() == [[0, 6, 1], [2, 0, 0], [0, 6, 1]]


def test_no_rows_are_one_row_of_padding() -> None:
    inputs, targets = sequences([], RecommenderConfig()).padded(np.arange(0))
    assert inputs[..., 0].tolist() == targets.tolist() == [[0]]


def test_a_context_of_unknown_times_was_met_right_before_its_first_target_in_its_order() -> None:
    got = sequences([([1, 2], [(3, "view"), (4, "view"), (6, "view")])], RecommenderConfig(), known=False)
    assert np.diff(got.time).tolist() == [1, 1, 60_000_000 * (9 - 4), 60_000_000 * (16 - 9)]


ROWS = st.lists(
    st.lists(st.tuples(st.integers(1, 4), st.integers(0, 1), st.booleans()), min_size=2, max_size=9), max_size=6
)
"""Items, the time since the one before, and whether they are learned."""


def laid_out(rows: list[list[tuple[int, int, bool]]]) -> Sequences:
    item, _, learned = (np.array([event[part] for row in rows for event in row], np.int64) for part in range(3))
    offset = np.cumsum([0, *map(len, rows)])
    learned[offset[:-1]] = 0
    time = [place for row in rows for place in np.cumsum([ago for _, ago, _ in row]).tolist()]
    return Sequences(item, np.array(time, np.int64), learned.astype(bool), offset, np.zeros(len(rows), np.int32))


@given(ROWS, st.integers(0, 2**31))
def test_what_was_met_at_one_moment_stands_in_any_order_and_nothing_else_moves(
    rows: list[list[tuple[int, int, bool]]], step: int
) -> None:
    made = laid_out(rows)
    chosen = np.arange(len(rows))
    (inputs, targets), (drawn_inputs, drawn_targets) = made.padded(chosen), made.padded(chosen, draw=Draw(1, step))
    for row, events in enumerate(rows):
        last = len(events) - 1
        moment = made.time[made.offset[row] :][: last + 1].tolist()
        assert sorted(zip(moment[1:], targets[row, :last].tolist(), strict=True)) == sorted(
            zip(moment[1:], drawn_targets[row, :last].tolist(), strict=True)
        )
        assert inputs[row, 0, 0] == drawn_inputs[row, 0, 0]
        assert inputs[row, :last, 1].equal(drawn_inputs[row, :last, 1])
        for place in range(last - 1):
            assert drawn_targets[row, place] in (0, drawn_inputs[row, place + 1, 0])
        assert not drawn_targets[row, last:].any()


def test_an_order_is_drawn_anew_in_each_step_the_same_for_a_row_whoever_takes_it_and_repeats_keep_theirs() -> None:
    made = laid_out([[(item, 0, True) for item in range(1, 9)]] * 3 + [[(1, 0, True), (1, 0, True), (1, 0, False)]])
    first, again, later = (made.padded(np.arange(3), draw=Draw(0, step))[1] for step in (7, 7, 8))
    assert first.equal(again)
    assert not first.equal(later)
    assert not first[0].equal(first[1])
    assert made.padded(np.array([1]), draw=Draw(0, 7))[1].equal(first[1:2])
    assert made.padded(np.array([3]), draw=Draw(0, 7))[1][0, :2].tolist() == [1, 0]
