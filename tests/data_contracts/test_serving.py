from __future__ import annotations

from pathlib import Path

import pytest

from data_contracts.serving import registry_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://localhost:5000/", "http://127.0.0.1:5000"),
        ("postgresql://me:secret@db/mlflow", "postgresql://db/mlflow"),
        (f"sqlite:///{Path.cwd()}/mlflow.db", "sqlite:///mlflow.db"),
        ("sqlite:////x/../y/mlflow.db?timeout=30", "sqlite:////y/mlflow.db"),
    ],
)
def test_a_registry_is_the_same_however_it_is_written(one: str, other: str) -> None:
    assert registry_of(one) == registry_of(other)
    assert "secret" not in registry_of(one)


def test_registries_of_other_files_and_addresses_are_others(tmp_path: Path) -> None:
    uris = [f"sqlite:///{tmp_path}/a.db", f"sqlite:///{tmp_path}/b.db", "http://127.0.0.1:5000", "http://10.0.0.1:5000"]
    assert len({registry_of(uri) for uri in uris}) == len(uris)
