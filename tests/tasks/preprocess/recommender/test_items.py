from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.preprocess.recommender.items import count_by_number, number_items
from tests.tasks.preprocess.recommender.logs import NO_ITEMS

ITEM = st.text(max_size=3).filter(lambda text: text.isprintable())


def counts(nights: list[list[str]]) -> list[pl.DataFrame]:
    return [
        pl.DataFrame({"item_id": night, "window": str(key)}, schema={"item_id": pl.String, "window": pl.String})
        for key, night in enumerate(nights)
    ]


@given(st.lists(st.lists(ITEM, min_size=1, max_size=8), min_size=1, max_size=5))
@settings(deadline=None, max_examples=40)
def test_item_numbers_never_move_when_nights_are_added(nights: list[list[str]]) -> None:
    items = NO_ITEMS
    for night in counts(nights):
        added = number_items(night, items)
        before, items = items, pl.concat([items, added.select(items.columns)])
        assert items.head(before.height).equals(before)
        assert items["item_index"].to_list() == list(range(1, items.height + 1))
    assert set(items["item_id"]) == {item for night in nights for item in night}
    assert items.equals(number_items(pl.concat(counts(nights)).reverse(), NO_ITEMS).select(items.columns))


def test_new_items_are_numbered_by_first_window_then_by_the_bytes_of_their_ids() -> None:
    two_windows = pl.DataFrame({"item_id": ["é", "Z", "a", "z", "b"], "window": ["1", "1", "2", "1", "1"]})
    items = pl.DataFrame({"item_id": ["b"], "item_index": [1]}, schema_overrides={"item_index": pl.Int32})
    new = number_items(two_windows, items)
    assert list(new.iter_rows()) == [("Z", 2, "1"), ("z", 3, "1"), ("é", 4, "1"), ("a", 5, "2")]


def test_every_event_is_counted_under_its_items_number() -> None:
    items = pl.DataFrame({"item_id": ["b", "a"], "item_index": [1, 2]})
    counted = pl.DataFrame({"item_id": ["a", "b", "a"], "window": ["1", "1", "2"], "count": [5, 6, 7]})
    assert list(count_by_number(counted, items).iter_rows()) == [(1, 6, "1"), (2, 5, "1"), (2, 7, "2")]
