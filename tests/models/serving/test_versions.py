from __future__ import annotations

from pathlib import Path

import pytest

from models.serving.registry import MlflowRegistry, NoSuchVersionError, RegistryFailedError, StagingFailedError
from models.serving.versions import NotStagedError, Versions
from tests.models.serving.tiny_shop import damage, register, register_two


@pytest.fixture
def versions(shop: tuple[str, Path]) -> Versions:
    return Versions(MlflowRegistry(shop[0], "shop"))


def held(versions: Versions) -> tuple[str | None, ...]:
    state = versions.state()
    return tuple(one.version if one else None for one in (state.served, state.staged, state.previous))


def test_the_champion_is_served_from_the_start(versions: Versions) -> None:
    versions.serve_champion()
    assert held(versions) == ("1", None, None)


def test_a_version_is_staged_beside_the_one_served_then_switched_to_and_back(versions: Versions) -> None:
    versions.serve_champion()
    versions.stage("2")
    assert held(versions) == ("1", "2", None)
    versions.switch("2")
    assert held(versions) == ("2", None, "1")
    versions.switch("1")
    assert held(versions) == ("1", None, "2")


def test_staging_and_switching_again_change_nothing(versions: Versions) -> None:
    versions.stage("2")
    versions.stage("2")
    versions.switch("2")
    before = versions.held
    versions.switch("2")
    versions.stage("2")
    assert versions.held is before


def test_a_version_that_is_not_there_takes_nobodys_place(shop: tuple[str, Path]) -> None:
    registry = MlflowRegistry(register_two(shop[1], name="crowd"), "crowd")
    versions = Versions(registry)
    versions.serve_champion()
    versions.stage("2")
    with pytest.raises(NoSuchVersionError, match="crowd has no version 7 in the registry sqlite:"):
        versions.stage("7")
    assert held(versions) == ("1", "2", None)


def test_a_version_staged_makes_room_before_another_is_loaded(shop: tuple[str, Path]) -> None:
    registry = MlflowRegistry(register_two(shop[1], name="full"), "full")
    versions = Versions(registry)
    versions.serve_champion()
    versions.stage("2")
    damaged = register(shop[1], seed=2, name="full")
    damage(shop[0], "full", damaged)
    with pytest.raises(StagingFailedError, match="DamagedError"):
        versions.stage(damaged)
    assert held(versions) == ("1", None, None)


def test_a_version_that_is_not_in_memory_is_not_switched_to(versions: Versions) -> None:
    versions.serve_champion()
    with pytest.raises(NotStagedError, match="shop version 2 is not in memory; served: 1, staged: none"):
        versions.switch("2")
    assert held(versions) == ("1", None, None)


def test_a_name_without_a_champion_serves_nothing(shop: tuple[str, Path]) -> None:
    versions = Versions(MlflowRegistry(shop[0], "nobody"))
    versions.serve_champion()
    assert held(versions) == (None, None, None)


def test_a_registry_that_breaks_is_said_and_nothing_is_served(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("no database")
    versions = Versions(MlflowRegistry(f"sqlite:///{tmp_path}/mlflow.db", "shop"))
    with pytest.raises(RegistryFailedError, match="shop's champion cannot be had now: "):
        versions.serve_champion()


def test_tables_that_are_not_mounted_say_nothing_about_the_version(shop: tuple[str, Path], versions: Versions) -> None:
    tables = shop[1] / "tables"
    away = tables.rename(shop[1] / "not mounted")
    try:
        with pytest.raises(RegistryFailedError, match="shop version 2 cannot be had now: FileNotFoundError: table"):
            versions.stage("2")
    finally:
        away.rename(tables)
    versions.stage("2")
    assert held(versions) == (None, "2", None)


def test_what_cannot_be_staged_leaves_the_one_served(shop: tuple[str, Path]) -> None:
    tracking_uri = register_two(shop[1], name="torn")
    versions = Versions(MlflowRegistry(tracking_uri, "torn"))
    versions.serve_champion()
    damage(tracking_uri, "torn", "2")
    with pytest.raises(StagingFailedError, match="version 2 cannot be staged: DamagedError"):
        versions.stage("2")
    assert held(versions) == ("1", None, None)
    versions.stage(register(shop[1], seed=2, name="torn"))
    assert held(versions) == ("1", "3", None)
