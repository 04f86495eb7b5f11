"""What every test may use."""

from __future__ import annotations

import gc
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests are run side by side, and threads that wait keep cores busy

import flows  # noqa: F401  what every process says, and to whom

if TYPE_CHECKING:
    from tests.models.lab import Lab

hypothesis.settings.register_profile("house", deadline=None)  # no test fails by time alone
hypothesis.settings.load_profile("house")

ROOT = Path(__file__).parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--real-data", type=Path, default=ROOT.parent / "shared" / "data", help="Folder of real logs.")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest: four are run at a time."""
    items.sort(key=lambda item: ("integration" not in item.path.parts, not item.get_closest_marker("slow")))


def pytest_collection_finish() -> None:
    """Look no more, among what is unreachable, through all that tests import."""
    gc.freeze()


@pytest.fixture(scope="session")
def real_data(request: pytest.FixtureRequest) -> Path:
    """The folder of real logs; without it a test is skipped and says so, in CI it fails."""
    folder: Path = request.config.getoption("--real-data")
    if not folder.is_dir():
        message = f"no real data in {folder}: give its folder by --real-data"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    """The address of one small Dask cluster for the whole run."""
    from tasks.cluster import ClusterConfig, dask_cluster

    with dask_cluster(ClusterConfig(workers=2, memory_limit="1GiB", dashboard_port=0)) as address:
        yield address


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Where a file's trainings are made and compared."""
    from tests.models.lab import Lab

    return Lab.of(tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="module")
def drill_seed() -> int:
    """Of what is random in a drill; DRILL_SEED brings an earlier one back."""
    return int(os.environ.get("DRILL_SEED") or random.SystemRandom().randrange(2**32))


@pytest.fixture
def say(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Print a line, captured or not."""

    def line(text: str) -> None:
        with capsys.disabled():
            request.config.get_terminal_writer().line(text)

    return line
