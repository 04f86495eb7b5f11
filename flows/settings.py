"""Every setting of a night: the only reader of the environment; it nests the configs that live by their owners.

Precedence: arguments, then ``NIGHTSHIFT_*`` (``NIGHTSHIFT_TRAIN__REPLAY=0.5``), then the settings file, then defaults.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    YamlConfigSettingsSource,
)
from yaml import YAMLError

from data_contracts.night import HeldOut, Protocol, UseCaseName, Workspace
from flows.alerts import AlertConfig
from models.recommender.config import RecommenderConfig
from tasks.cluster import ClusterConfig
from tasks.deploy.config import ServingConfig
from tasks.ingest.config import SourceConfig
from tasks.preprocess.recommender.config import FeatureConfig
from tasks.promote.config import GateConfig
from tasks.tidy.config import KeepConfig
from tasks.train.config import TrainConfig
from tasks.validate.config import ValidationConfig


@contextmanager
def explained() -> Iterator[None]:
    """End the program with what is wrong with its settings, should anything be."""
    try:
        yield
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, each['loc']))}: {each['msg']}".strip(": ") for each in error.errors())
        sys.exit("settings:\n  - " + "\n  - ".join(problems))
    except (SettingsError, FileNotFoundError, YAMLError) as error:
        sys.exit(f"settings: {error}")


def _existing(file: str) -> Path:
    if not Path(file).is_file():
        raise FileNotFoundError(f"no settings file {file!r}. Give one by --settings or NIGHTSHIFT_SETTINGS.")
    return Path(file)


SHOP = Path(__file__).parents[1] / "examples" / "shop.yaml"
ADDRESS = r"^http://[^/:]+:\d+$"


class NightlySettings(BaseSettings):
    """What a night reads, does and allows."""

    model_config = SettingsConfigDict(env_prefix="NIGHTSHIFT_", env_nested_delimiter="__", extra="forbid", frozen=True)

    name: str = Field(description="Separates logs from logs: tables, experiment and registered model are called so.")
    use_case: UseCaseName = Field("recommender", description="What is learned.")
    protocol: Protocol = Field(
        "nightly",
        description="`leave_one_out` only compares with published tables: empty tables, cold start, moves no alias.",
    )
    home: Path = Field(Path("var"), description="The one folder that holds everything that is not code.")
    tracking_uri: str | None = Field(None, description="MLflow's server or database; <home>/mlflow.db when omitted.")
    prefect_url: str = Field(
        "http://127.0.0.1:4200", pattern=ADDRESS, description="Where `make up` puts Prefect's server."
    )
    mlflow_url: str = Field(
        "http://127.0.0.1:5000", pattern=ADDRESS, description="Where `make up` puts MLflow's server."
    )
    reference: Path | None = Field(
        None,
        description="JSON file, window (`2026-01-07 to 2026-01-07`) to metrics, printed beside the night's own: what "
        "is best reachable, say.",
    )
    source: SourceConfig = Field(description="Where the raw logs lie, and how to read them.")
    validation: ValidationConfig = Field(ValidationConfig(), description="What an event must be.")
    held_out: HeldOut = Field(HeldOut(), description="How much a window must hold before it may judge.")
    features: FeatureConfig = Field(FeatureConfig(), description="How events become examples and histories.")
    model: RecommenderConfig = Field(RecommenderConfig(), description="What is learned, and how.")
    train: TrainConfig = Field(TrainConfig(), description="From where, on what, in how many processes.")
    gate: GateConfig = Field(GateConfig(), description="When a candidate is promoted.")
    serving: ServingConfig = Field(ServingConfig(), description="The model server.")
    keep: KeepConfig = Field(KeepConfig(), description="What is kept of nights gone by.")
    cluster: ClusterConfig = Field(ClusterConfig(), description="Where Dask runs.")
    alerts: AlertConfig = Field(AlertConfig(), description="Who is told of a bad night.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read arguments, the environment, and the settings file."""
        file = settings_cls.model_config.get("yaml_file") or os.environ.get("NIGHTSHIFT_SETTINGS", SHOP)
        return init_settings, env_settings, YamlConfigSettingsSource(settings_cls, yaml_file=_existing(str(file)))

    @classmethod
    def from_file(cls, file: str) -> type[NightlySettings]:
        """Return these settings as read from ``file``, whatever ``NIGHTSHIFT_SETTINGS`` names."""

        class FromFile(cls):  # type: ignore[valid-type, misc]
            model_config = SettingsConfigDict(yaml_file=file)

        return FromFile

    @model_validator(mode="after")
    def _no_setting_contradicts_another(self) -> Self:
        problems: list[str] = []
        if not self.source.has_times and self.protocol == "nightly":
            problems.append(
                f"source.format {self.source.format!r} has no times, so there are no nights in it: "
                "set protocol: leave_one_out, or read logs with times"
            )
        unknown = set(self.model.target_events) - set(self.validation.kinds)
        if self.validation.kinds and unknown:
            problems.append(
                f"model.target_events {sorted(unknown)} can never come: validation.kinds knows {self.validation.kinds}"
            )
        problems += (
            problem.removesuffix(".")
            for problem in self.model.fit.problems(self.train.parallelism, self.model.network.layers)
        )
        if "://" in str(self.home) or ":/" in str(self.home):
            problems.append(
                f"home {str(self.home)!r} is no folder of this machine; only source.uri may lie elsewhere yet"
            )
        if problems:
            raise ValueError("; ".join(problems) + ".")
        return self

    def workspace(self) -> Workspace:
        """Return where these logs live; MLflow's database is beside them unless a server is given."""
        home = self.home.resolve()
        return Workspace(
            name=self.name,
            use_case=self.use_case,
            home=str(home),
            tracking_uri=self.tracking_uri or f"sqlite:///{home}/mlflow.db",
        )
