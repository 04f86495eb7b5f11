from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from operator import attrgetter

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.preprocess.recommender.config import FeatureConfig
from tasks.preprocess.recommender.counts import WindowCounts
from tasks.preprocess.recommender.cut import Cut, close, cut_window
from tasks.preprocess.recommender.segments import MOMENT, in_segments
from tests.tasks.preprocess.recommender.logs import START, Event, frame, no_histories, number
from tests.tasks.preprocess.recommender.test_cut import EVENT, LENGTH, PROPERTY, Piece, seen_pieces

ROBOT = st.builds(Event, st.integers(0, 12), st.sampled_from("abB\u00e9z"), st.just("view"), st.just("robot"))
NIGHT = st.lists(EVENT | ROBOT, min_size=1, max_size=60)


@given(st.lists(EVENT, max_size=60), st.integers(1, 20))
@PROPERTY
def test_segments_follow_each_other_and_hold_every_event_once(events: list[Event], rows: int) -> None:
    night = frame(events)
    segments = list(in_segments(night.lazy(), rows))
    every = (*MOMENT, "item_id", "event")
    assert pl.concat([segment.sort(every) for segment in segments]).equals(night.sort(every))
    moments = [set(segment.select(MOMENT).iter_rows()) for segment in segments]
    assert sum(map(len, moments)) == len(set().union(*moments)), "a user's moment is parted"


def test_segments_are_about_as_large_as_was_asked_for() -> None:
    night = frame(Event(at % 100, f"{at:05}", "view", "robot") for at in range(20_000))
    heights = [segment.height for segment in in_segments(night.lazy(), 1_000)]
    assert len(heights) == 20
    assert max(heights) < 2_000
    assert [segment.height for segment in in_segments(night.lazy(), 10_001)] == [20_000]


def cut_in_segments(night: pl.DataFrame, known: pl.DataFrame, items: pl.DataFrame, length: int, rows: int) -> Cut:
    """Cut one window segment after segment; as the whole."""
    features = FeatureConfig(max_length=length, max_seen=3)
    examples, counts, newest = [], WindowCounts(), known.clear()
    for segment in in_segments(night.lazy(), rows):
        cut = cut_window(segment, known, items, window="1", features=features)
        known, newest = (
            pl.concat([histories.join(cut.histories, on="user_id", how="anti"), cut.histories])
            for histories in (known, newest)
        )
        examples.append(cut.examples)
        counts += cut.counts
    return Cut(pl.concat(examples), close(newest, features), counts)


def targets(pieces: Sequence[Piece]) -> list[tuple[object, ...]]:
    return sorted((piece.user_id, *target) for piece in pieces for target in piece.target)


@given(NIGHT, NIGHT, LENGTH, st.integers(1, 20))
@settings(PROPERTY, max_examples=60)
def test_a_window_in_segments_has_the_targets_and_histories_of_the_whole(
    before: list[Event], night: list[Event], length: int, rows: int
) -> None:
    """Late events lie anywhere among those remembered."""
    items = number(frame([*before, *night]))
    known = cut_in_segments(frame(before), no_histories(), items, length, rows=1_000).histories
    whole = cut_in_segments(frame(night), known, items, length, rows=1_000)
    cut = cut_in_segments(frame(night), known, items, length, rows)
    assert cut.histories.equals(whole.histories)
    assert targets(seen_pieces(cut, items)) == targets(seen_pieces(whole, items))
    assert replace(cut.counts, users=0) == replace(whole.counts, users=0)
    assert cut.counts.events == len(night)


@given(NIGHT, NIGHT, LENGTH, st.integers(1, 20))
@settings(PROPERTY, max_examples=60)
def test_a_context_in_a_segment_is_what_came_right_before_its_targets(
    before: list[Event], night: list[Event], length: int, rows: int
) -> None:
    items = number(frame([*before, *night]))
    known = cut_in_segments(frame(before), no_histories(), items, length, rows=1_000).histories
    names = dict(items.select("item_index", "item_id").iter_rows())
    for piece in seen_pieces(cut_in_segments(frame(night), known, items, length, rows), items):
        own = known.filter(pl.col("user_id") == piece.user_id).explode("items", "kinds", "timestamps")
        remembered = [
            Event(int((time - START).total_seconds()), names[number], kind, piece.user_id)
            for number, kind, time in own.select("items", "kinds", "timestamps").iter_rows()
        ]
        timeline = sorted([*remembered, *(e for e in night if e.user_id == piece.user_id)], key=attrgetter("place"))
        merged = [event[:3] for event in timeline]
        events = [*piece.context, *piece.target]
        spans = (merged[place : place + len(events)] for place in range(len(merged) - len(events) + 1))
        if {event[:3] for event in remembered} & {*piece.target}:  # a very first: a later segment may come before it
            rest = iter(merged)
            assert all(event in rest for event in events)
        else:
            assert events in spans
        assert 1 <= len(piece.context) <= length
        assert len(events) <= length + 1
