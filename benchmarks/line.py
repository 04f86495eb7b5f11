"""The way from raw logs to examples, room by room, and what its processes hold meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from data_contracts.night import HeldOut, Workspace
from tasks.ingest.config import SourceConfig
from tasks.ingest.stage import stage_night
from tasks.preprocess.recommender.config import FeatureConfig
from tasks.preprocess.recommender.night import build_night
from tasks.validate.config import ValidationConfig
from tasks.validate.publish import validate_night

ROOMS = ("ingest", "validate", "preprocess")
WATCH_SECONDS = 0.2


class Took(dict[str, float]):
    """Seconds by name, and bytes of the largest process under ``largest``."""

    @property
    def seconds(self) -> float:
        """Of all rooms together."""
        return sum(self[name] for name in ROOMS)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Count the seconds of what is done under it."""
        start = time.perf_counter()
        yield
        self[name] = time.perf_counter() - start

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Look at this process and all under it, again and again."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(WATCH_SECONDS):
                own = psutil.Process()
                for process in (own, *own.children(recursive=True)):
                    try:
                        size = float(process.memory_info().rss)
                    except psutil.NoSuchProcess:
                        continue
                    self["largest"] = max(self.get("largest", 0.0), size)

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        yield
        over.set()
        thread.join()


def night(logs: Path, home: Path, cluster: str) -> Took:
    """Take what is new in ``logs`` into a house: all of it into an empty one, as the first night does."""
    workspace = Workspace(name="bench", use_case="recommender", home=str(home), tracking_uri="sqlite://")
    source, took = SourceConfig(uri=str(logs), format="parquet"), Took()
    with took.watched():
        with took.timed("ingest"):
            staged = stage_night(workspace, source, cluster)
        with took.timed("validate"):
            validated = validate_night(workspace, staged, None, ValidationConfig(), cluster)
        with took.timed("preprocess"):
            build_night(workspace, validated, HeldOut(), FeatureConfig(), "nightly", cluster)
    return took
