"""Settings of a use case's own, whatever names it: a file, a variable, an option."""

from __future__ import annotations

from pathlib import Path

import pytest
from prefect.utilities.callables import parameter_schema
from prefect.utilities.schema_tools.validation import validate
from pydantic import ValidationError

from flows.command import read
from flows.nightly import nightly_retrain
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


def test_prefect_takes_settings_of_their_own_as_they_are_written_out() -> None:
    settings = NightlySettings(name="own", source=SOURCE, model={"network": {"width": 8}})  # type: ignore[arg-type]
    schema = parameter_schema(nightly_retrain).model_dump()
    validate({"settings": settings.model_dump(mode="json")}, schema, raise_on_error=True)


def test_a_use_cases_own_defaults_are_there_also_after_settings_were_written_out() -> None:
    source = NightlySettings(name="own", source=SOURCE).source  # type: ignore[arg-type]
    again = type(source).model_validate(source.model_dump(mode="json"))
    for each in (source, again):
        assert each.with_defaults({"event": "view"}).defaults == {"event": "view"}
    assert again.model_copy(update={"defaults": {"event": "buy"}}).with_defaults({"event": "view"}).defaults == {
        "event": "buy"
    }


@pytest.mark.parametrize("name", ["weather", ".x", "..x", "tests.nothing", "tests.faults", "Recommender"])
def test_names_that_lead_nowhere_are_refused_in_a_sentence(name: str) -> None:
    with pytest.raises(ValidationError, match=r"use_case\n"):
        NightlySettings(name="own", source=SOURCE, use_case=name)  # type: ignore[arg-type]


def test_only_columns_that_there_are_can_be_limited() -> None:
    with pytest.raises(
        ValidationError, match=r"allowed names evnt, and the columns of text are user_id, item_id, event"
    ):
        NightlySettings(name="own", source=SOURCE, validation={"allowed": {"evnt": ["view"]}})  # type: ignore[arg-type]


@pytest.fixture
def parcels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a settings file of a use case that needs labels."""
    file = tmp_path / "parcels.yaml"
    file.write_text("name: own\nuse_case: tests.parcels\nsource: {uri: logs}\n")
    monkeypatch.setenv("NIGHTSHIFT_SETTINGS", str(file))


def test_labels_that_a_use_case_does_not_take_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"labels are set, and use case 'recommender' takes none from a source"):
        NightlySettings(name="own", source=SOURCE, labels=SOURCE)  # type: ignore[arg-type]


@pytest.mark.usefixtures("parcels")
def test_labels_that_come_from_nowhere_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"labels are not set, and rows of use case 'tests.parcels' have none"):
        NightlySettings()
    with pytest.raises(ValidationError, match=r"labels.uri is not set"):
        NightlySettings(labels={})  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match=r"labels.format 'sequences' has no times"):
        NightlySettings(labels={"uri": "told", "format": "sequences"})  # type: ignore[arg-type]
    with pytest.raises(SystemExit, match=r"labels: format is 'jsonl', but separator is for csv.*") as error:
        read(["--labels.uri", "told", "--labels.format", "jsonl", "--labels.separator", ";"])
    assert "source" not in str(error.value)
    assert NightlySettings(labels={"uri": "told"}).labels is not None  # type: ignore[arg-type]


@pytest.mark.usefixtures("parcels")
def test_labels_are_told_by_options_and_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    _, settings = read(["--labels.uri", "told/*.csv", "--labels.columns", '{"arrived_at": "told"}'])
    assert settings.labels is not None
    assert (settings.labels.uri, settings.labels.columns) == ("told/*.csv", {"arrived_at": "told"})
    monkeypatch.setenv("NIGHTSHIFT_LABELS__URI", "elsewhere")
    assert read([])[1].labels == settings.labels.model_copy(update={"uri": "elsewhere", "columns": {}})
