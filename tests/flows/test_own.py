"""Settings of a use case's own, whatever names it: a file, a variable, an option."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.command import read
from flows.settings import NightlySettings
from models.recommender.config import RecommenderConfig
from tasks.preprocess.recommender.config import FeatureConfig

SOURCE = {"uri": "logs/*"}


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NIGHTSHIFT_SETTINGS", raising=False)


def test_they_are_of_the_use_cases_own_classes_from_wherever_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSHIFT_MODEL__TARGET_EVENTS", '["buy"]')
    monkeypatch.setenv("NIGHTSHIFT_MODEL__NETWORK__WIDTH", "32")
    settings = NightlySettings(name="own", source=SOURCE, features={"max_length": 7})  # type: ignore[arg-type]
    assert isinstance(settings.model, RecommenderConfig)
    assert (settings.model.target_events, settings.model.network.width) == (("buy",), 32)
    assert settings.features == FeatureConfig(max_length=7)
    again = NightlySettings.model_validate(settings.model_dump(mode="json"))
    assert again == settings


def test_a_use_case_that_is_not_declared_is_all_that_is_said(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("name: own\nuse_case: weather\nsource: {uri: x}\nmodel: {clouds: 3}\n")
    with pytest.raises(SystemExit) as refused:
        read(["--settings", str(file)])
    assert str(refused.value).splitlines() == [
        "settings:",
        "  - use_case: there is no use case 'weather': data_contracts.weather.promises is no module. Name one of the "
        "house, or a package that can be imported here.",
    ]


def test_what_is_meant_is_asked_by_the_use_cases_own_names(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("name: own\nsource: {uri: x}\nmodel: {network: {widht: 3}}\n")
    with pytest.raises(SystemExit, match=r"model\.network\.widht: there is no such setting\. Did you mean 'width'\?"):
        read(["--settings", str(file)])
