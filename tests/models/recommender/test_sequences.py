from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.recommender.config import RecommenderConfig
from models.recommender.sequences import Sequences

ITEMS = 7
COUNTS = np.array([0, 9, 9, 9, 9, 1, 9])
"""Item 5 is rare, item 7 unknown."""

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


def sequences(examples: list[Example], config: RecommenderConfig) -> Sequences:
    lists = pa.list_(pa.int32())
    table = pa.table(
        {
            "context": pa.array([context for context, _ in examples], lists),
            "target": pa.array([[item for item, _ in target] for _, target in examples], lists),
            "target_event": pa.array([[kind for _, kind in target] for _, target in examples], pa.list_(pa.string())),
        }
    )
    window = pa.array(["a"] * len(table), pa.string())
    return Sequences.of(table.append_column("window", window), COUNTS, config, ("a",))


def naive(examples: list[Example], config: RecommenderConfig) -> list[tuple[list[int], list[int]]]:
    """Inputs and targets of each example that has a target, one event at a time."""
    rows = []
    for context, target in examples:
        events = [(item, "", False) for item in context] + [(item, kind, True) for item, kind in target]
        events = [event for event in events if event[0] < 7 and COUNTS[event[0]] >= config.min_item_count]
        items = [item for item, _, _ in events]
        wanted = []
        for place, (item, kind, is_target) in enumerate(events[1:], start=1):
            counts = is_target and (not config.target_events or kind in config.target_events)
            wanted.append(item if counts and not (config.exclude_seen and item in items[:place]) else 0)
        if any(wanted):
            rows.append((items[:-1], wanted))
    return rows


@settings(deadline=None, max_examples=200)
@given(EXAMPLES, CONFIGS)
def test_padded_rows_are_what_a_loop_would_make_of_them(examples: list[Example], config: RecommenderConfig) -> None:
    expected = naive(examples, config)
    got = sequences(examples, config)
    assert len(got) == len(expected)
    expected = expected or [([0], [0])]
    inputs, targets = got.padded(np.arange(len(got)))
    width = inputs.shape[1]
    assert inputs.tolist() == [row + [0] * (width - len(row)) for row, _ in expected]
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
    assert inputs.tolist() == [[3, 4, 6], [1, 0, 0], [3, 4, 6]]
    assert targets.tolist() == [[0, 6, 1], [2, 0, 0], [0, 6, 1]]


def test_no_rows_are_one_row_of_padding() -> None:
    inputs, targets = sequences([], RecommenderConfig()).padded(np.arange(0))
    assert inputs.tolist() == targets.tolist() == [[0]]


@pytest.mark.parametrize("rows", [[0], [1, 0], []])
def test_taking_rows_is_padding_them(rows: list[int]) -> None:
    got = sequences([([1], [(2, "view")]), ([3, 4], [(6, "view"), (1, "buy")])], RecommenderConfig())
    chosen = np.array(rows, np.int64)
    assert got.take(chosen).padded(np.arange(len(rows)))[0].tolist() == got.padded(chosen)[0].tolist()
