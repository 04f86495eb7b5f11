from __future__ import annotations

import polars as pl
import pytest

from tasks.preprocess.recommender.order import ORDER, PLACE, place
from tests.tasks.preprocess.recommender.logs import Event, frame


def places(*events: Event) -> list[int]:
    return frame(events).select(place())[PLACE].to_list()


@pytest.mark.parametrize(
    ("event", "known"),
    [
        pytest.param(Event(0, "a", "view", "u"), 321_190_181_812_426_928, id="short"),
        pytest.param(
            Event(86_399, "é\U0001f4a1", "buy", "user 1"), 1_621_981_747_361_494_032, id="bytes, not characters"
        ),
        pytest.param(Event(5, "i" * 256, "view", ""), 1_586_621_066_447_408_946, id="long"),
    ],
)
def test_the_hash_is_the_same_for_ever(event: Event, known: int) -> None:
    """It is in the order of every row of `examples` and `histories`: another one would mix two orders."""
    assert places(event) == [known]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(Event(0, "b", "view", "ua"), Event(0, "ab", "view", "u"), id="user and item"),
        pytest.param(Event(0, "a b", "view", "u"), Event(0, "b", "view", "u a"), id="a space in them"),
        pytest.param(Event(0, "a", "view", "u"), Event(0, "a view", "", "u"), id="item and kind"),
        pytest.param(Event(0, "a", "view", "u"), Event(0, "view", "a", "u"), id="swapped"),
        pytest.param(Event(0, "1 a", "view", "u"), Event(1, "a", "view", "u"), id="numbers"),
    ],
)
def test_fields_that_read_alike_together_are_told_apart(one: Event, other: Event) -> None:
    first, second = places(one, other)
    assert first != second


def test_within_a_moment_no_item_comes_first_more_often_than_another() -> None:
    baskets = [
        Event(86_400 * day, item, "view", f"user-{user}") for user in range(400) for day in range(5) for item in "abc"
    ]
    ordered = frame(baskets).with_columns(place()).sort("user_id", *ORDER)
    first = ordered.group_by("user_id", "timestamp", maintain_order=True).first()["item_id"].value_counts()
    assert first["count"].to_list() == pytest.approx([2_000 / 3] * 3, abs=100), "five standard deviations"


def test_a_users_items_do_not_keep_their_order_from_moment_to_moment() -> None:
    baskets = [Event(86_400 * day, item, "view", "u") for day in range(1_000) for item in "ab"]
    ordered = frame(baskets).with_columns(place()).sort(*ORDER)
    first = ordered.gather_every(2)["item_id"]
    assert (first == "a").mean() == pytest.approx(0.5, abs=0.08)
    assert (first == first.shift()).mean() == pytest.approx(0.5, abs=0.08)


def test_an_event_on_its_way_and_one_remembered_have_the_same_place() -> None:
    """The rest of the row does not matter."""
    event = frame([Event(0, "a", "view", "u")])
    assert event.select(place()).equals(event.with_columns(new=pl.lit(value=True), user=0).select(place()))
