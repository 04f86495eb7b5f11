from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from prometheus_client import CollectorRegistry

from models.serving.metrics import Age
from models.serving.registry import MlflowRegistry
from models.serving.versions import Versions
from tests.models.serving.tiny_shop import WINDOWS


def test_the_age_of_what_is_served_grows_from_the_end_of_the_last_day_it_learned_from(shop: tuple[str, Path]) -> None:
    versions = Versions(MlflowRegistry(shop[0], "shop"))
    versions.serve_champion()
    ages = CollectorRegistry()
    ages.register(Age(versions))
    labels = {"model": "shop", "version": "1"}
    learned_until = datetime.fromisoformat(WINDOWS[0]).replace(tzinfo=UTC) + timedelta(days=1)
    before = (datetime.now(UTC) - learned_until).total_seconds()
    seen = ages.get_sample_value("nightshift_model_data_age_seconds", labels)
    after = (datetime.now(UTC) - learned_until).total_seconds()
    assert seen is not None
    assert before <= seen <= after
    in_service = ages.get_sample_value("nightshift_model_in_service_seconds", labels)
    assert in_service is not None
    assert 0 <= in_service < after


def test_nothing_served_has_no_age(shop: tuple[str, Path]) -> None:
    ages = CollectorRegistry()
    ages.register(Age(Versions(MlflowRegistry(shop[0], "nobody"))))
    assert [metric.samples for metric in ages.collect()] == [[], []]
