from __future__ import annotations

from pathlib import Path

from data_contracts.night import HeldOut, Window
from tasks.preprocess.recommender.config import FeatureConfig
from tasks.preprocess.task import preprocess
from tests.tasks.preprocess.recommender.logs import publish, shop, workspace


def test_the_use_case_of_the_workspace_makes_the_features(tmp_path: Path, cluster: str) -> None:
    home = workspace(tmp_path)
    validated = publish(home, shop(range(2)), range(2))
    held_out = HeldOut(min_targets=100, min_units=10)
    night = preprocess.fn(home, validated, held_out, FeatureConfig(), "nightly", cluster)
    assert night.windows == ("2026-01-01", "2026-01-02")
    assert night.window == Window(first_day=validated.window.last_day, last_day=validated.window.last_day)
