from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.risk import partners
from data_contracts.risk.examples import FEATURES, RECENT_DAYS
from data_contracts.risk.measures import measured
from data_contracts.risk.partners import Pairs
from data_contracts.risk.past import Past, compacted, sums_of_pairs, sums_of_parties
from tests.data_contracts.risk.deals import START, Deal, counted, features, frame, known_to_nights


def test_what_is_known_of_two_parties_is_what_they_did_on_the_days_before() -> None:
    past = [
        Deal(0, 1, 2, label=0, outcome=2.0, amount=10.0),
        Deal(1, 1, 3, label=1, outcome=-4.0, amount=30.0),
        Deal(1, 3, 2, label=1, outcome=-1.0),
        Deal(2, 2, 1, label=None),
        Deal(5, 1, 2, label=1, outcome=-9.0),  # on the very day that is asked about
    ]
    (row,) = features(past, [Deal(5, 1, 2, amount=1e6)]).to_dicts()
    usual = (2 + 1) / (3 + 20)
    seen = {
        "from_gave_count": math.log(3),
        "from_gave_bad": math.log(2),
        "from_gave_bad_share": (1 + 5 * usual) / (2 + 5),
        "from_gave_outcome": -math.log1p(2 / 3),
        "from_gave_outcome_spread": math.log1p(3.0),
        "from_got_count": math.log(2),
        "from_got_bad_share": usual,
        "from_age": math.log(6),
        "to_got_count": math.log(3),
        "to_got_bad": math.log(2),
        "to_got_freshness": 1 / (1 + 4 / 30),
        "again_count": math.log(2),
        "again_outcome": math.log(3),
        "back_count": math.log(2),
        "back_outcome": 0.0,
        "trusted_bad": 0.0,
        "doubted_bad": math.log(2),
        "size": math.log1p(1e6),
        "size_known": 1.0,
        "size_unusual": 10.0,
    }
    assert {name: row[name] for name in seen} == pytest.approx(seen, rel=1e-6)


def test_who_is_met_for_the_first_time_has_no_past() -> None:
    (row,) = features([Deal(0, 1, 2, label=1, outcome=-1.0)], [Deal(1, 0, 9)]).to_dicts()
    told = {name: value for name, value in row.items() if value}
    assert told == pytest.approx(dict.fromkeys(told, (1 + 1) / (1 + 20)))
    assert all(name.endswith("bad_share") for name in told), told


def test_what_is_recent_fades_into_the_past() -> None:
    past = [Deal(0, 1, 2, label=1)]
    for day, count in ((RECENT_DAYS, 1), (RECENT_DAYS + 1, 0)):
        (row,) = features(past, [Deal(day, 1, 2)]).to_dicts()
        assert row["from_gave_recent_count"] == pytest.approx(math.log1p(count)), day
        assert row["from_gave_count"] == pytest.approx(math.log(2))


def test_of_a_party_with_more_partners_than_are_asked_the_newest_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bound of 2 stands in for one of 1,000."""
    monkeypatch.setattr(partners, "MOST_PARTNERS", 2)
    past = [Deal(day, 1, 10 + day) for day in range(4)] + [Deal(0, 10 + number, 2, label=1) for number in range(4)]
    (row,) = features(past, [Deal(9, 1, 2)]).to_dicts()
    assert row["trusted_bad"] == pytest.approx(math.log1p(2))


def test_rows_that_are_taken_piece_by_piece_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = np.random.default_rng(0)
    past = [
        Deal(int(day), *map(int, chance.choice(9, 2, replace=False)), int(day) % 2) for day in chance.integers(0, 9, 80)
    ]
    whole = features(past, past)
    monkeypatch.setattr(partners, "ROWS_AT_ONCE", 7)
    assert features(past, past).equals(whole)


deals = st.builds(
    lambda day, two, label, outcome, amount, later: Deal(day, *two, label, outcome, amount, later),
    st.integers(0, 2 * RECENT_DAYS),
    st.sampled_from([(1, 4), (4, 1), (1, 2), (2, 4), (2, 5), (5, 2), (3, 6)]),
    st.sampled_from([None, 0, 1]),
    st.sampled_from([None, -2.0, 1.0, 8.0]),
    st.sampled_from([None, 1.0, 100.0]),
    st.sampled_from([0, 0, 1, 30, RECENT_DAYS]),
)
split = st.builds(lambda deal, night, told: deal._replace(night=night, told=told), deals, *[st.integers(0, 3)] * 2)


@given(st.lists(split, min_size=2, max_size=12))
@settings(max_examples=20, deadline=None)
def test_what_nights_sum_up_says_what_was_known_on_the_day(log: list[Deal]) -> None:
    """However rows and labels are split over nights, whatever came late: as counted anew from the whole log."""
    for deal, row in known_to_nights(log):
        assert row == pytest.approx(counted(log, deal), rel=1e-5, abs=1e-6)


@given(st.lists(deals, min_size=2, max_size=12), st.integers(20, 60))
@settings(max_examples=15, deadline=None)
def test_of_what_is_on_time_it_is_the_same_however_many_days_a_night_takes(log: list[Deal], span: int) -> None:
    on_time = [deal._replace(night=deal.day // span, told=(deal.known_day or 0) // span) for deal in log]
    wanted = features(log, log).to_dicts()
    seen = known_to_nights(on_time)
    for deal, row in seen:
        assert row == pytest.approx(wanted[on_time.index(deal)], rel=1e-5, abs=1e-6)


def test_a_label_is_known_from_the_day_after_it_was_said() -> None:
    past = [Deal(0, 1, 2, label=1, outcome=-2.0, later=5), Deal(0, 2, 9, label=0, later=2)]
    for day, bad, doubted in ((5, 0, 0), (6, 1, 1)):
        (row,) = features([*past, Deal(0, 2, 3, label=1)], [Deal(day, 1, 2), Deal(day, 1, 3)])[:1].to_dicts()
        assert row["from_gave_bad"] == pytest.approx(math.log1p(bad))
        assert row["from_gave_count"] == pytest.approx(math.log(2)), "it happened, whatever was said of it"
        assert row["to_got_freshness"] == pytest.approx(1 / (1 + day / 30)), "nobody dealt when it was said"
        (row,) = features([*past, Deal(0, 2, 3, label=1)], [Deal(day, 1, 3)]).to_dicts()
        assert (row["doubted_bad"], row["trusted_bad"]) == pytest.approx((math.log1p(doubted), math.log1p(1 - doubted)))


@given(st.lists(deals, min_size=1, max_size=25), st.lists(deals, max_size=25), st.integers(0, 2 * RECENT_DAYS))
@settings(max_examples=40, deadline=None)
def test_no_row_of_the_same_or_a_later_day_changes_what_was_known(one: list[Deal], other: list[Deal], day: int) -> None:
    """Whatever happens from a day on, added, changed or taken away: what is asked about up to that day stays."""
    before = [deal for deal in one if deal.day < day]
    asked = [*before, Deal(day, 1, 4), Deal(day, 5, 2, amount=5.0)]
    seen = features([*before, *(deal for deal in one if deal.day >= day)], asked)
    changed = features([*before, *(deal for deal in other if deal.day >= day)], asked)
    assert changed.equals(seen)


@given(st.lists(deals, min_size=1, max_size=40), st.integers(1, 2 * RECENT_DAYS))
@settings(max_examples=25, deadline=None)
def test_a_past_that_was_compacted_says_the_same(past: list[Deal], day: int) -> None:
    pairs = sums_of_pairs(frame([deal for deal in past if deal.day < day]))
    days = sums_of_parties(pairs)
    few = compacted(days, START + timedelta(days=day))
    asked = frame([Deal(day, giver, getter) for giver in range(1, 4) for getter in range(4, 7)])
    seen, wanted = (measured(asked, Past(table), Pairs(pairs)) for table in (few, days))
    np.testing.assert_allclose(seen.to_numpy(), wanted.to_numpy(), rtol=1e-6, atol=1e-6)
    assert few.group_by("party", "part").len()["len"].max() in {None, 1, 2, 3}


def test_every_feature_has_plain_words_of_its_own() -> None:
    assert len(set(FEATURES.values())) == len(FEATURES)
