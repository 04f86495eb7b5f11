from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.buckets import bucket_of
from tasks.preprocess.recommender.config import FeatureConfig
from tasks.preprocess.recommender.cut import Cut, close, cut_window
from tests.tasks.preprocess.recommender.logs import START, Event, frame, no_histories, number

KIND = st.sampled_from(["view", "buy"])
ITEM = st.sampled_from(["a", "b", "B", "é", "z", "\U0001f4a1"])
USER = st.sampled_from(["u", "v", "w"])
EVENT = st.builds(Event, st.integers(0, 12), ITEM, KIND, USER)
NIGHTS = st.lists(st.lists(EVENT, min_size=1, max_size=25), min_size=1, max_size=4)
LENGTH = st.integers(1, 7)
PROPERTY = settings(deadline=None, max_examples=30)


def cut_nights(nights: Sequence[Sequence[Event]], max_length: int, max_seen: int = 2_000) -> list[Cut]:
    """Cut night after night, each on the histories that those before it left."""
    cuts: list[Cut] = []
    histories = no_histories()
    items = number(frame([event for night in nights for event in night]))
    for key, night in enumerate(nights):
        features = FeatureConfig(max_length=max_length, max_seen=max_seen)
        cut = cut_window(frame(night), histories, items, window=str(key), features=features)
        cut = cut._replace(histories=close(cut.histories, features))
        histories = pl.concat([histories.join(cut.histories, on="user_id", how="anti"), cut.histories])
        cuts.append(cut)
    return cuts


class Piece(NamedTuple):
    user_id: str
    context: list[tuple[int, str, str]]
    target: list[tuple[int, str, str]]


def plain_pieces(
    known: dict[str, list[Event]], forgotten: set[str], night: Sequence[Event], length: int
) -> list[Piece]:
    """The rules of `cut_window`, event by event; ``forgotten`` are users of whom more was known once."""
    pieces: list[Piece] = []
    for user in sorted({event.user_id for event in night}):
        merged = [(event, False) for event in known[user]]
        merged += [(event, True) for event in night if event.user_id == user]
        merged.sort(key=lambda pair: (pair[0].place, pair[1]))
        if known[user] and user not in forgotten:
            merged[merged.index((known[user][0], False))] = (known[user][0], True)
        position = 1
        while position < len(merged):
            if not merged[position][1]:
                position += 1
                continue
            end = next((at for at in range(position, len(merged)) if not merged[at][1]), len(merged))
            while position < end:
                least_context = min(position, max(1, length // 2))
                stop = min(end, position + length + 1 - least_context)
                begin = max(0, stop - length - 1)
                events = [(event.second, event.item_id, event.event) for event, _ in merged[begin:stop]]
                pieces.append(Piece(user, events[: position - begin], events[position - begin :]))
                position = stop
        known[user] = [event for event, _ in merged][-length:]
        forgotten |= {user} if len(merged) > length else set()
    return pieces


def seen_pieces(cut: Cut, items: pl.DataFrame) -> list[Piece]:
    names = dict(items.select("item_index", "item_id").iter_rows())

    def events(row: dict[str, Any], part: str) -> list[tuple[int, str, str]]:
        times = [int((time - START).total_seconds()) for time in row[f"{part}_timestamp"]]
        return list(zip(times, [names[index] for index in row[part]], row[f"{part}_event"], strict=True))

    return [
        Piece(row["user_id"], events(row, "context"), events(row, "target"))
        for row in cut.examples.iter_rows(named=True)
    ]


@given(NIGHTS, LENGTH)
@PROPERTY
def test_examples_are_what_the_rules_say_event_by_event(nights: list[list[Event]], length: int) -> None:
    items = number(frame([event for night in nights for event in night]))
    known, forgotten = defaultdict[str, list[Event]](list), set[str]()
    for night, cut in zip(nights, cut_nights(nights, length), strict=True):
        assert sorted(seen_pieces(cut, items)) == sorted(plain_pieces(known, forgotten, night, length))


@given(NIGHTS, LENGTH)
@PROPERTY
def test_no_context_event_is_later_than_its_targets(nights: list[list[Event]], length: int) -> None:
    items = number(frame([event for night in nights for event in night]))
    for cut in cut_nights(nights, length):
        for piece in seen_pieces(cut, items):
            seconds = [second for second, _, _ in [*piece.context, *piece.target]]
            assert seconds == sorted(seconds)
            assert 1 <= len(piece.context) <= length
            assert len(piece.context) + len(piece.target) <= length + 1


@given(NIGHTS, LENGTH)
@PROPERTY
def test_every_event_but_a_users_first_is_a_target_exactly_once(nights: list[list[Event]], length: int) -> None:
    """Nights that follow each other in time, as they do when nothing is late."""
    nights = [[event._replace(second=event.second + 100 * at) for event in night] for at, night in enumerate(nights)]
    events = [event for night in nights for event in night]
    items = number(frame(events))
    cuts = cut_nights(nights, length)
    targets = Counter(
        Event(*target, piece.user_id) for cut in cuts for piece in seen_pieces(cut, items) for target in piece.target
    )
    firsts = Counter(
        min((event for event in events if event.user_id == user), key=attrgetter("place"))
        for user in {e.user_id for e in events}
    )
    assert targets == Counter(events) - firsts
    assert sum(cut.counts.firsts for cut in cuts) == firsts.total()


@given(st.lists(EVENT, min_size=2, max_size=40), st.integers(0, 12), LENGTH)
@PROPERTY
def test_a_night_in_two_windows_has_the_same_targets_as_in_one(events: list[Event], cut_at: int, length: int) -> None:
    before = [event for event in events if event.second < cut_at]
    after = [event for event in events if event.second >= cut_at]
    halves = cut_nights([half for half in (before, after) if half], length)
    whole = cut_nights([events], length)
    columns = ["user_id", "target", "target_event", "target_timestamp"]

    def targets(cuts: list[Cut]) -> list[tuple[object, ...]]:
        rows = pl.concat([cut.examples for cut in cuts]).select(columns).explode(columns[1:])
        return sorted(rows.iter_rows())

    assert targets(halves) == targets(whole)
    newest = pl.concat([cut.histories for cut in halves]).unique("user_id", keep="last").sort("bucket", "user_id")
    assert newest.drop("window").equals(whole[0].histories.drop("window"))


@given(NIGHTS, LENGTH, st.integers(1, 4), st.randoms(use_true_random=False))
@PROPERTY
def test_neither_the_order_of_rows_nor_the_number_of_ranges_matters(
    nights: list[list[Event]], length: int, ranges: int, random: object
) -> None:
    shuffled = [sorted(night, key=lambda _: random.random()) for night in nights]  # type: ignore[attr-defined]
    whole = cut_nights(nights, length)
    for cut, same in zip(whole, cut_nights(shuffled, length), strict=True):
        assert cut.examples.equals(same.examples)
        assert cut.histories.equals(same.histories)
    items = number(frame([event for night in nights for event in night]))
    night = frame(nights[0])
    features = FeatureConfig(max_length=length)
    parts = [
        cut_window(part, no_histories(), items, window="0", features=features)
        for number_ in range(ranges)
        if (part := night.filter(bucket_of("user_id") * ranges // 1024 == number_)).height
    ]
    assert pl.concat([part.examples for part in parts]).equals(whole[0].examples)
    assert pl.concat([close(part.histories, features) for part in parts]).equals(whole[0].histories)


@given(NIGHTS, LENGTH, st.integers(1, 6))
@PROPERTY
def test_a_history_is_the_last_events_and_the_items_seen(nights: list[list[Event]], length: int, max_seen: int) -> None:
    """Without late events: a late one older than all that is remembered cannot be put among items seen earlier."""
    nights = [[event._replace(second=event.second + 100 * at) for event in night] for at, night in enumerate(nights)]
    items = number(frame([event for night in nights for event in night]))
    index = dict(items.select("item_id", "item_index").iter_rows())
    so_far: dict[str, list[Event]] = defaultdict(list)
    for night, cut in zip(nights, cut_nights(nights, length, max_seen), strict=True):
        for event in sorted(night, key=attrgetter("place")):
            so_far[event.user_id].append(event)
        assert set(cut.histories["user_id"]) == {event.user_id for event in night}
        for row in cut.histories.iter_rows(named=True):
            events = so_far[row["user_id"]]
            distinct = list(dict.fromkeys(index[event.item_id] for event in reversed(events)))[::-1]
            assert row["items"] == [index[event.item_id] for event in events[-length:]]
            assert row["kinds"] == [event.event for event in events[-length:]]
            assert row["seen"] == distinct[-max_seen:]
            assert row["event_count"] == len(events)


@pytest.mark.parametrize(
    ("stored", "new", "contexts_and_targets"),
    [
        pytest.param("", "abc", [("a", "bc")], id="a new user's first event is nobody's target"),
        pytest.param("", "abcdefgh", [("a", "bcde"), ("de", "fgh")], id="a long span is cut, with L/2 before it"),
        pytest.param("abc", "d", [("abc", "d")], id="few targets take more context"),
        pytest.param("abcd", "efghij", [("cd", "efg"), ("fg", "hij")], id="known users' spans are cut alike"),
        pytest.param("abd", "c", [("ab", "c")], id="a late event lies between events of the history"),
        pytest.param("bd", "ac", [("a", "bc")], id="one before the very first gives that a predecessor"),
        pytest.param("bcde", "af", [("a", "b"), ("bcde", "f")], id="and no other"),
        pytest.param("bcdef", "ag", [("cdef", "g")], id="but not where more was done than is remembered"),
        pytest.param("ad", "bce", [("a", "bc"), ("abcd", "e")], id="targets are runs of new events"),
    ],
)
def test_spans_are_cut_so(stored: str, new: str, contexts_and_targets: list[tuple[str, str]]) -> None:
    """L is 4; an event's letter is its item, and its second by place in the alphabet."""
    letters = "abcdefghij"
    nights = [[Event(letters.index(item), item, "view", "u") for item in night] for night in (stored, new) if night]
    items = number(frame([event for night in nights for event in night]))
    pieces = seen_pieces(cut_nights(nights, 4)[-1], items)
    spelled = [tuple("".join(item for _, item, _ in part) for part in (p.context, p.target)) for p in pieces]
    assert spelled == contexts_and_targets


def test_histories_of_another_order_within_a_moment_go_on_in_this_one() -> None:
    """Tables were made by the order of item ids once."""
    moment = [Event(5, item, "view", "u") for item in "abcdef"]
    before = cut_nights([moment], 6)[0].histories
    reversed_ = before.with_columns(pl.col("items", "kinds", "timestamps").list.reverse())
    night = frame([Event(5, "g", "view", "u"), Event(9, "a", "view", "u")])
    items = number(frame([*moment, Event(5, "g", "view", "u")]))
    features = FeatureConfig(max_length=6)
    cuts = [cut_window(night, known, items, window="1", features=features) for known in (before, reversed_)]
    assert cuts[0].examples.equals(cuts[1].examples)
    assert close(cuts[0].histories, features).drop("seen").equals(close(cuts[1].histories, features).drop("seen"))


def test_events_that_share_their_users_moment_are_counted_remembered_ones_too() -> None:
    first = [
        Event(1, "a", "view", "u"),
        Event(1, "b", "view", "u"),
        Event(2, "a", "view", "u"),
        Event(1, "a", "view", "v"),
    ]
    second = [Event(2, "b", "view", "u"), Event(3, "a", "view", "u"), Event(3, "a", "view", "v")]
    assert [cut.counts.shared for cut in cut_nights([first, second], 4)] == [2, 1]


def test_a_late_event_before_all_that_is_remembered_is_told_apart_from_a_first() -> None:
    nights = [[Event(5, "a", "view", "u")], [Event(1, "b", "view", "u"), Event(9, "a", "view", "v")]]
    first, second = (cut.counts for cut in cut_nights(nights, 4))
    assert (first.firsts, first.late) == (1, 0)
    assert (second.firsts, second.late, second.targets) == (1, 0, 1), "the very first has a predecessor now"
    nights = [[Event(at, "a", "view", "u") for at in range(5, 10)], [Event(1, "b", "view", "u")]]
    _, second = (cut.counts for cut in cut_nights(nights, 4))
    assert (second.firsts, second.late, second.targets) == (0, 1, 0)
