from __future__ import annotations

import re

from data_contracts.night import ModelVersion, Promotion, Workspace


def _workspace(name: str, home: str = "/home") -> Workspace:
    return Workspace(name=name, use_case="recommender", home=home, tracking_uri="sqlite://")


def test_no_two_logs_share_an_artifact_and_every_key_is_one_of_prefects() -> None:
    names = ("shop", "a-b", "a_b", "a--b", "a__b", "a_-b")
    keys = {_workspace(name).artifact("nights") for name in names}
    assert len(keys) == len(names)
    assert all(re.fullmatch("[a-z0-9-]+", key) for key in keys)
    assert _workspace("shop").artifact("nights") == "nights-shop"


def test_runs_are_tagged_with_their_logs_and_their_home() -> None:
    tags = {_workspace(name, home).tags for name in ("shop", "base") for home in ("/a", "/b")}
    assert len(tags) == 4
    assert all(name in ("shop", "base") for name, _ in tags)


def test_a_decision_says_first_whether_it_is_one_and_whether_the_version_is_promoted() -> None:
    lost = Promotion(version=ModelVersion(name="shop", version="2"), promoted=False, reason="Markov is better.")
    assert str(lost) == "not promoted: shop version 2. Markov is better."
    again = lost.model_copy(update={"stands": True})
    assert str(again) == "no new decision: shop version 2 stays not promoted. Markov is better."
