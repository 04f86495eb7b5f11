"""Every setting of a night: the only reader of the environment; it nests the configs that live by their owners.

Precedence: arguments, then ``NIGHTSHIFT_*`` (``NIGHTSHIFT_TRAIN__REPLAY=0.5``), then the settings file, then defaults.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field, SerializeAsAny, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from data_contracts.credentials import Address
from data_contracts.days import Zone
from data_contracts.night import NAME, HeldOut, Protocol, UseCaseName, Workspace
from data_contracts.use_cases import OBJECTS, UnknownUseCaseError, declared, promises
from flows.addresses import DASHBOARD, clashes, no_home
from flows.alerts import AlertConfig
from flows.own import ANY_SETTINGS, DEFAULT, default, kind_of_features, kind_of_model, own, typed
from flows.sources import SettingsFile, existing, require_known
from models.fit_config import ModelConfig
from models.use_case import use_case
from tasks.cluster import ClusterConfig
from tasks.deploy.config import ServingConfig
from tasks.ingest.config import LabelSourceConfig, SourceConfig
from tasks.promote.config import GateConfig
from tasks.tidy.config import KeepConfig
from tasks.train.config import TrainConfig
from tasks.validate.config import ValidationConfig

SHOP = Path(__file__).parents[1] / "examples" / "shop.yaml"
ADDRESS = r"^http://[^/:]+:\d+$"
FOLDERS = ("artifacts", "prefect", "services")
"""In the home, beside those that are called as their logs are."""


class NightlySettings(BaseSettings):
    """What a night reads, does and allows."""

    model_config = SettingsConfigDict(
        env_prefix="NIGHTSHIFT_", env_nested_delimiter="__", extra="forbid", frozen=True, hide_input_in_errors=True
    )

    name: str = Field(
        description="Separates logs from logs: tables, experiment and registered model are called so. Small letters, "
        "digits, `-` and `_`; at most 63."
    )
    use_case: UseCaseName = Field(
        DEFAULT, description="What is learned: a use case of the house, or a package of your own that declares one."
    )
    protocol: Protocol = Field(
        "nightly",
        description="`leave_one_out` only compares with published tables: empty tables, cold start, moves no alias.",
    )
    home: Path = Field(Path("var"), description="The one folder that holds everything that is not code.")
    tracking_uri: Address | None = Field(
        None,
        description="MLflow's server or database, `http://host:port` or `postgresql://user@host/database`, without a "
        "password; <home>/mlflow.db when omitted, whoever answers at mlflow_url.",
    )
    prefect_database: Address | None = Field(
        None,
        pattern=r"^postgresql(\+asyncpg)?://",
        description="Of the Prefect server that `make up` or a night starts, `postgresql://user@host/database`; no "
        "password in it; SQLite in <home>/prefect when omitted.",
    )
    prefect_url: str = Field(
        "http://127.0.0.1:4200",
        pattern=ADDRESS,
        description="Where `make up` puts Prefect's server. "
        "If set, a Prefect of no home that answers there is used as well; else a stranger's is refused.",
    )
    mlflow_url: str = Field(
        "http://127.0.0.1:5000",
        pattern=ADDRESS,
        description="Where `make up` puts MLflow's server, to look at; a stranger's that answers there is refused.",
    )
    reference: Path | None = Field(
        None,
        description="JSON file, window (`2026-01-07 to 2026-01-07`) to metrics, printed beside the night's own: what "
        "is best reachable, say.",
    )
    day_zone: Zone = Field(
        "UTC",
        description="IANA name (Asia/Shanghai) of the zone by whose days rows are parted and windows cut: `through` "
        "and every other day is one of that zone. The first night fixes it for the tables.",
    )
    source: SourceConfig = Field(description="Where the raw logs lie, and how to read them.")
    labels: LabelSourceConfig | None = Field(
        None,
        description="Where labels lie that come later, by themselves, and how to read them: as `source`. For use cases "
        "that promise such.",
    )
    validation: ValidationConfig = Field(ValidationConfig(), description="What a row must be.")
    held_out: HeldOut = Field(HeldOut(), description="How much a window must have judged before it decides.")
    features: SerializeAsAny[Annotated[BaseModel, own(kind_of_features), ANY_SETTINGS]] = Field(
        default_factory=default(kind_of_features), description="How rows become what is learned from."
    )
    model: SerializeAsAny[Annotated[ModelConfig, own(kind_of_model), ANY_SETTINGS]] = Field(
        default_factory=default(kind_of_model), description="What is learned, and how."
    )
    train: TrainConfig = Field(TrainConfig(), description="From where, on what, in how many processes.")
    gate: GateConfig = Field(GateConfig(), description="When a candidate is promoted.")
    serving: ServingConfig = Field(ServingConfig(), description="The model server.")
    keep: KeepConfig = Field(KeepConfig(), description="What is kept of nights gone by.")
    cluster: ClusterConfig = Field(ClusterConfig(), description="Where Dask runs.")
    alerts: AlertConfig = Field(AlertConfig(), description="Who is told of a bad night.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003, it is this class
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read arguments, the environment, and the settings file."""
        require_known(os.environ, cls.model_fields)
        file = cls._file()
        use_case = {**file(), **env_settings(), **init_settings()}.get("use_case", DEFAULT)
        return init_settings, EnvSettingsSource(cls.of(use_case)), file

    @classmethod
    def told(cls) -> dict[str, Any]:
        """Return what the file and the environment say, unchecked."""
        return {**cls._file()(), **EnvSettingsSource(cls)()}

    @classmethod
    def _file(cls) -> SettingsFile:
        chosen = cls.model_config.get("yaml_file") or os.environ.get("NIGHTSHIFT_SETTINGS", SHOP)
        return SettingsFile(cls, yaml_file=existing(str(chosen)))

    @classmethod
    def from_file(cls, file: str) -> type[NightlySettings]:
        """Return these settings as read from ``file``, whatever ``NIGHTSHIFT_SETTINGS`` names."""

        class FromFile(cls):  # type: ignore[valid-type, misc]
            model_config = SettingsConfigDict(yaml_file=file)

        return FromFile

    @classmethod
    def of(cls, use_case: object) -> type[Self]:
        """Return these settings with the own classes of a use case in it, for those who go by fields.

        Of one that is not declared they stay as they are: it is refused once they are read.
        """
        try:
            return typed(cls, str(use_case))
        except UnknownUseCaseError:
            return cls

    @field_validator("use_case")
    @classmethod
    def _is_declared(cls, use_case: str) -> str:
        for what in OBJECTS:
            declared(use_case, what)
        return use_case

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, name: str) -> str:
        if not re.fullmatch(NAME, name):
            raise ValueError(
                f"{name[:80]!r} is no name. It takes 1 to 63 of a-z, 0-9, - and _, the first a letter or digit: "
                "folders, an experiment and a registered model are called so."
            )
        if name in FOLDERS:
            raise ValueError(f"{name!r} is a folder of the home already. Take another name.")
        return name

    @model_validator(mode="after")
    def _no_setting_contradicts_another(self) -> Self:
        problems = list(self._addresses())
        if not self.source.has_times and self.protocol == "nightly":
            problems.append(
                f"source.format {self.source.format!r} has no times, so there are no nights in it: "
                "set protocol: leave_one_out, or read logs with times"
            )
        problems += self._labels()
        problems += self.model.problems(self.validation.allowed)
        problems += self.validation.problems(promises(self.use_case), labels_come=self.labels is not None)
        problems += self.gate.problems(use_case(self.use_case).metrics)
        problems += (
            problem.removesuffix(".") for problem in self.model.fit.problems(self.train.parallelism, self.model.layers)
        )
        problems += self.keep.problems(promises(self.use_case))
        problems += no_home(self.home)
        if problems:
            raise ValueError("\n".join(f"{problem}." for problem in problems))
        return self

    def _labels(self) -> Iterator[str]:
        """Say why labels cannot come from where the settings say."""
        promised = promises(self.use_case)
        if self.labels is None and promised.needs_labels:
            yield f"labels are not set, and rows of use case {self.use_case!r} have none: say where they lie"
        if self.labels is not None and promised.labels is None:
            yield f"labels are set, and use case {self.use_case!r} takes none from a source of their own"
        if self.labels is not None and not self.labels.uri:
            yield "labels.uri is not set: say where the labels lie, a file, a folder or a glob"
        if self.labels is not None and not self.labels.has_times:
            yield f"labels.format {self.labels.format!r} has no times: from when on would a label count?"

    def _addresses(self) -> Iterator[str]:
        """Say which servers cannot be where they are to be."""
        servers = {
            "prefect_url": self.prefect_url,
            "mlflow_url": self.mlflow_url,
            "serving.rest_url": self.serving.rest_url,
            "serving.grpc_url": self.serving.grpc_url,
            DASHBOARD: f"127.0.0.1:{self.cluster.dashboard_port}",
        }
        yield from clashes(servers)

    def workspace(self) -> Workspace:
        """Return where these logs live; MLflow's database is beside them unless a server is given."""
        home = self.home.resolve()
        return Workspace(
            name=self.name,
            use_case=self.use_case,
            home=str(home),
            tracking_uri=self.tracking_uri or f"sqlite:///{home}/mlflow.db",
            day_zone=self.day_zone,
        )
