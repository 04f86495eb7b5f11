"""Sketches and mixes: however the rows are parted and added up, they say the same, and within their error the truth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from itertools import pairwise
from operator import add
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.validate.mix import HELD, Mix
from tasks.validate.sketches import Distinct, Quantiles

TEXTS = st.lists(st.sampled_from(["", "a", "b", "ü", "a\0"]) | st.text(max_size=3) | st.none(), max_size=60)
NUMBERS = st.lists(st.none() | st.floats(width=64) | st.sampled_from([0.0, 1.0, 1.0, math.inf, math.nan]), max_size=60)


def parts(data: st.DataObject, rows: pl.Series) -> list[pl.Series]:
    """Part rows in any way and put the parts in any order; some are empty."""
    order = data.draw(st.permutations(range(len(rows)))) if len(rows) < 100 else range(len(rows))
    shuffled = rows.gather(list(order))
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=4))
    return [shuffled[a:b] for a, b in pairwise(sorted([0, len(rows), *cuts]))]


def merged(kind: Any, pieces: Sequence[pl.Series], data: st.DataObject) -> Any:
    """Add up what is kept of parts, two at a time, in any order."""
    kept = [kind.of(piece) for piece in pieces]
    while len(kept) > 1:
        one = kept.pop(data.draw(st.integers(0, len(kept) - 1)))
        other = kept.pop(data.draw(st.integers(0, len(kept) - 1)))
        kept.append(one + other)
    return kept[0]


@given(texts=TEXTS, data=st.data())
def test_any_parts_in_any_order_have_the_same_values_and_the_same_mix(
    texts: list[str | None], data: st.DataObject
) -> None:
    rows = pl.Series(texts, dtype=pl.String)
    values = set(texts) - {None}
    pieces = parts(data, rows)
    assert merged(Distinct, pieces, data).estimate() == (len(values),) * 3
    mix = merged(Mix, pieces, data)
    assert mix == Mix.of(rows)
    assert (mix.rows, mix.missing, len(mix.counts)) == (len(texts), texts.count(None), len(values))


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(values=st.sampled_from([400, HELD, HELD + 1, 1500, 1536, 1537, 1700, 20_000]), data=st.data())
def test_many_values_are_counted_alike_however_they_are_parted(values: int, data: st.DataObject) -> None:
    rows = pl.Series([f"id{n % values}" for n in range(max(values, 3000))])
    pieces = parts(data, rows)
    seen = merged(Distinct, pieces, data).estimate()
    assert seen == Distinct.of(rows).estimate()
    assert seen.low <= values <= seen.high, "three standard deviations; the hashes are always the same"
    assert seen.low == values or values > 1536, "few are counted exactly"
    mix = merged(Mix, pieces, data)
    assert mix == Mix.of(rows)
    assert mix.in_cells == (values > HELD)
    assert (mix.rows, len(mix.counts) <= HELD) == (len(rows), True)


@given(numbers=NUMBERS, data=st.data(), quantile=st.sampled_from([0, 0.1, 0.25, 0.5, 0.9, 0.99, 1]))
def test_any_parts_of_few_numbers_have_the_very_number_at_a_quantile(
    numbers: list[float | None], data: st.DataObject, quantile: float
) -> None:
    rows = pl.Series(numbers, dtype=pl.Float64)
    seen = merged(Quantiles, parts(data, rows), data).at(quantile)
    there = sorted(each for each in numbers if each is not None and not math.isnan(each))
    place = round(quantile * (len(there) - 1))
    assert seen == ((there[place],) * 3 if there else None)


@settings(max_examples=20)
@given(data=st.data(), seed=st.integers(0, 2**32 - 1), quantile=st.sampled_from([0.01, 0.25, 0.5, 0.99]))
def test_the_rank_of_many_numbers_is_within_its_error(data: st.DataObject, seed: int, quantile: float) -> None:
    rows = pl.Series(np.random.default_rng(seed).lognormal(sigma=3, size=30_000))
    seen = merged(Quantiles, parts(data, rows), data).at(quantile)
    assert seen.low <= seen.seen <= seen.high
    ranks = [(rows <= each).mean() for each in seen]
    assert ranks == sorted(ranks)
    assert abs(ranks[1] - quantile) < 2 * 0.0028, "it is within the error of 99 in a hundred, whatever is drawn"
    ends = merged(Quantiles, parts(data, rows), data)
    assert (ends.at(0).seen, ends.at(1).seen) == (rows.min(), rows.max())


def test_no_aggregate_is_large_whatever_the_column_holds() -> None:
    ids = pl.Series([f"user-{n:09}" for n in range(1_000_000)])
    numbers = pl.Series(np.random.default_rng(0).normal(size=1_000_000))
    halves = [slice(None, 500_000), slice(500_000, None)]
    distinct, mix = (reduce(add, (kind.of(ids[half]) for half in halves)) for kind in (Distinct, Mix))
    quantiles = reduce(add, (Quantiles.of(numbers[half]) for half in halves))
    assert abs(distinct.estimate().seen / 1_000_000 - 1) < 0.025
    assert len(distinct.sketch) < 17_000
    assert len(quantiles.sketch) < 26_000
    assert len(mix.model_dump_json()) < 10_000
    most = Mix.of(pl.Series([f"v{n}" for n in range(HELD)]))
    assert not most.in_cells
    assert len(most.model_dump_json()) < 16_000, "twenty digits a hash"
    assert Mix.model_validate_json(most.model_dump_json()) == most


@pytest.mark.parametrize(
    ("before", "tonight", "distance"),
    [
        pytest.param(["a"] * 100, ["a"] * 100, 0.0, id="one kind, as before"),
        pytest.param(["a"] * 100, ["b"] * 100, 1.0, id="another kind"),
        pytest.param(["a", "b"] * 50, ["a"] * 80 + ["b"] * 20, 0.3, id="moved"),
        pytest.param(["a", "b"] * 50, ["a", None] * 50, 0.5, id="a value that is missing is another"),
        pytest.param([None] * 100, [None] * 7, 0.0, id="nothing but nulls, as before"),
        pytest.param(["a", "b"] * 50, ["a"], 0.5, id="one row"),
        pytest.param([""] * 100, [None] * 100, 1.0, id="empty text is a value"),
        pytest.param([1, 2] * 50, [1] * 100, 0.5, id="whole numbers"),
        pytest.param([True, False] * 50, [True] * 100, 0.5, id="booleans"),
    ],
)
def test_two_mixes_are_as_far_apart_as_rows_would_have_to_change(
    before: list[Any], tonight: list[Any], distance: float
) -> None:
    one, other = (Mix.of(pl.Series(each, dtype=None if any(each) else pl.String)) for each in (before, tonight))
    assert one.apart(other).distance == pytest.approx(distance)
    assert other.apart(one) == one.apart(other)


def test_of_a_night_with_few_rows_chance_makes_the_mix() -> None:
    before = Mix.of(pl.Series(["a", "b"] * 5_000))
    one_row, many = Mix.of(pl.Series(["b"])), Mix.of(pl.Series(["b"] * 10_000))
    assert one_row.apart(before).chance > one_row.apart(before).distance
    assert many.apart(before).chance < 0.03


@settings(max_examples=50)
@given(seed=st.integers(0, 2**32 - 1), kinds=st.sampled_from([2, 8, 300, 5_000]), rows=st.integers(1, 3_000))
def test_rows_drawn_from_the_same_mix_are_not_further_apart_than_chance(seed: int, kinds: int, rows: int) -> None:
    """One night in a hundred may be by what is promised; the bound is so wide that none was seen."""
    random = np.random.default_rng(seed)
    shares = random.dirichlet(np.ones(kinds))
    tonight, before = (
        Mix.of(pl.Series(random.choice(kinds, size=size, p=shares)).cast(pl.String)) for size in (rows, 4_000)
    )
    apart = tonight.apart(before)
    assert apart.distance <= apart.chance


@given(texts=TEXTS.filter(bool), others=TEXTS.filter(bool))
def test_cells_are_never_further_apart_than_values(texts: list[str | None], others: list[str | None]) -> None:
    one, other = (Mix.of(pl.Series(each, dtype=pl.String)) for each in (texts, others))
    many = Mix(counts=dict.fromkeys(range(HELD), 0), in_cells=True)
    assert (one + many).in_cells
    assert (one + many).apart(other).distance <= one.apart(other).distance + 1e-9
