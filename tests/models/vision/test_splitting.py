"""Training comes to the same under every way of splitting, moved and mirrored pictures included."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from data_contracts.job import FitJob, FitResult
from data_contracts.parallelism import ParallelismConfig
from models.vision.module import VisionModule
from models.vision.weights import load
from tests.models.jobs import WINDOWS
from tests.models.splitting import FIT, assert_same, in_every_way, train
from tests.models.vision.tables import NETWORK, fit_job, write_tables


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., FitJob]:
    """Of as many pictures as no number of processes divides."""
    tables = write_tables(tmp_path_factory.mktemp("tables"), {WINDOWS[0]: 131, WINDOWS[1]: 70})
    return partial(fit_job, tables, config={"network": NETWORK, "augment": {"shift": 2, "flip": True}, "fit": FIT})


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, job: Callable[..., FitJob]) -> FitResult:
    return train(job, tmp_path_factory.mktemp("alone"), processes_per_node=1)


def test_a_schedule_in_which_torch_crashes_is_refused(tmp_path: Path, job: Callable[..., FitJob]) -> None:
    way = ParallelismConfig(strategy="pipeline", pipeline_stages=2, processes_per_node=2, schedule="zero_bubble")
    with pytest.raises(ValueError, match=r"'zero_bubble', by which vision cannot be trained: .* Take 'interleaved'"):
        VisionModule.of(job(tmp_path, parallelism=way))


@in_every_way
def test_it_comes_to_what_one_process_does(
    tmp_path: Path, job: Callable[..., FitJob], alone: FitResult, way: dict[str, object]
) -> None:
    assert_same(train(job, tmp_path, **way), alone, lambda folder: load(folder).network)
