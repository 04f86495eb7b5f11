"""Nights as they are before anything is trained: logs taken into an empty house, examples cut, the last window kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from pydantic import JsonValue

from data_contracts.job import Config, EvaluateJob, FitJob, TablesAt
from data_contracts.night import Night
from examples.shop_logs import write_days
from examples.shop_world import WorldConfig
from flows.settings import NightlySettings
from models.recommender.config import RecommenderConfig
from tasks.cluster import dask_cluster
from tasks.ingest.stage import stage_night
from tasks.preprocess.features import features_of
from tasks.train.plan import Plan, plan_training
from tasks.validate.publish import validate_night

EXAMPLES = Path(__file__).parents[1] / "examples"
FIRST_DAYS = 7
"""Of the shop, in its first night."""
THIRD = 'CAST("user_id:token" AS INT) % 3 = 0'
"""Users of ml-100k who are taken: an epoch of all of them takes three times as long."""


@dataclass(frozen=True)
class Case:
    """A night to train for.

    Attributes:
        name: For people.
        settings: As they are shipped, with the logs' place.
        night: What its tables hold.
    """

    name: str
    settings: NightlySettings
    night: Night

    @property
    def _tables(self) -> TablesAt:
        return TablesAt(folder=self.settings.workspace().tables, versions=self.night.tables)

    def fit_job(self, seed: int, start: str | None) -> FitJob:
        """Return a training: of all windows from nothing, or of the newest one from the weights in ``start``."""
        plan, model = self._plan, self.settings.model.model_dump(mode="json")
        return FitJob(
            use_case=self.settings.use_case,
            run_folder="",
            tables=self._tables,
            windows=plan.known[-1:] if start else plan.known,
            replayed=plan.known[:-1] if start else (),
            replay=self.settings.train.replay if start else 0.0,
            known_windows=plan.known,
            validation=plan.validation,
            warm_start=start,
            config={**model, "fit": {**model["fit"], "seed": seed}},
            features=self._features,
            tracking_uri="",
            run_id="",
        )

    def evaluate_job(self, folder: Path, contestants: dict[str, str]) -> EvaluateJob:
        """Return the judging of folders of weights on the night's last window."""
        plan = self._plan
        return EvaluateJob(
            use_case=self.settings.use_case,
            tables=self._tables,
            window=self.night.windows[-1],
            first_day=self.night.window.first_day if self.night.protocol == "nightly" else None,
            known_windows=self.night.windows[:-1],
            validation=plan.validation,
            contestants=contestants,
            config=self.settings.model.model_dump(mode="json"),
            features=self._features,
            work_folder=str(folder),
        )

    @property
    def _plan(self) -> Plan:
        return plan_training(self.night, None, {}, {}, warm_start=False)

    @property
    def _features(self) -> Config:
        found: dict[str, JsonValue] = self.settings.features.model_dump(mode="json")
        return found


def shop(home: Path) -> Iterator[Case]:
    """Yield the made-up shop's first night, and the one of its next day."""
    for name, days in (("shop", FIRST_DAYS), ("shop, next day", FIRST_DAYS + 1)):
        settings = _settings("shop", home, {"uri": made_up_shop(home / "logs", days)})
        yield Case(name, settings, night_of(settings))


def made_up_shop(logs: Path, days: int = FIRST_DAYS) -> str:
    """Make up the shop's first days that are not there yet; return the URI of all of them."""
    world = WorldConfig()
    list(write_days(logs, world, world.first_day, world.first_day + timedelta(days=days - 1)))
    return str(logs / "*.csv.gz")


def movielens(home: Path, folder: Path) -> Iterator[Case]:
    """Yield the one night that takes every third user of MovieLens-100K, with the defaults of `model`."""
    source: Config = {"uri": str(folder / "ml-100k.inter"), "where": THIRD}
    settings = _settings("ml-100k", home, source, RecommenderConfig().model_dump(mode="json"))
    yield Case("ml-100k", settings, night_of(settings))


def _settings(example: str, home: Path, source: Config, model: Config | None = None) -> NightlySettings:
    """Return the settings of an example, for logs that lie elsewhere; ``model`` goes before its own."""
    kind = NightlySettings.from_file(str(EXAMPLES / f"{example}.yaml"))
    source = {**kind.told().get("source", {}), **source}
    return kind.model_validate({"home": home, "source": source, "model": model or {}})


def night_of(settings: NightlySettings) -> Night:
    """Take the logs that are there, as a night does."""
    workspace = settings.workspace()
    with dask_cluster(settings.cluster) as cluster:
        staged = stage_night(workspace, settings.source, cluster)
        validated = validate_night(workspace, staged, None, settings.validation, cluster)
        features = features_of(workspace.use_case)
        return features.build_night(
            workspace, validated, settings.held_out, settings.features, settings.protocol, cluster
        )
