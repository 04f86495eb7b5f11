"""What travels between the tasks of a night: small frozen values, stored as JSON. References, never frames."""

from __future__ import annotations

import hashlib
import posixpath
from datetime import date, timedelta
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, PositiveInt, model_validator

from data_contracts.days import Zone

Protocol = Literal["nightly", "leave_one_out"]
USE_CASE_NAME = r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*"
UseCaseName = Annotated[str, Field(pattern=f"^{USE_CASE_NAME}$")]
"""See `data_contracts.use_cases`."""
NAME = "[a-z0-9][a-z0-9_-]{0,62}"
"""What logs may be called."""


class Value(BaseModel, frozen=True, extra="forbid", ser_json_inf_nan="strings"):
    """A small value that crosses a boundary as JSON; a diverged model's NaN does too, as ``"NaN"``."""


class Workspace(Value):
    """Where one set of logs lives: its tables, runs, experiment and registered model share its name.

    Attributes:
        name: Separates logs from logs.
        use_case: What is learned from them.
        home: The local folder that holds everything that is not code.
        tracking_uri: Of MLflow: a database or a server.
        day_zone: Zone whose days rows, windows and nights go by, see `data_contracts.days`.
    """

    name: str = Field(pattern=f"^{NAME}$")
    use_case: UseCaseName
    home: str
    tracking_uri: str
    day_zone: Zone = "UTC"

    @property
    def tables(self) -> str:
        """URI under which every table has a folder of its own."""
        return posixpath.join(self.home, self.name, "tables")

    @property
    def staging(self) -> str:
        """URI of what is on its way in."""
        return posixpath.join(self.home, self.name, "staging")

    @property
    def runs(self) -> str:
        """Folder of the jobs' own folders, one for each MLflow run."""
        return posixpath.join(self.home, self.name, "runs")

    @property
    def docs(self) -> str:
        """Folder of the Data Docs."""
        return posixpath.join(self.home, self.name, "docs")

    @property
    def tags(self) -> tuple[str, str]:
        """What a night's run is tagged with in Prefect, whose server may have nights of other logs and homes."""
        return self.name, f"home-{_short(self.home)}"

    def artifact(self, what: str) -> str:
        """Return the key of a Prefect artifact of these logs, ``nights-shop``; it may hold no ``_``."""
        key = self.name.replace("_", "-")
        return f"{what}-{key}" if key == self.name else f"{what}-{key}-{_short(self.name)}"


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


class HeldOut(Value):
    """How much a window must have judged before it decides; the first night holds out as much."""

    min_targets: PositiveInt = Field(
        1_000, description="Targets judged, at least; what does not count (repeats, say) is not among them."
    )
    min_units: PositiveInt = Field(
        100, description="Units (users, documents, images, whatever the use case has) with a target that is judged."
    )


class Window(Value):
    """A span of whole days, of the workspace's zone, both ends taken. Its key in tables is its last day, ISO 8601."""

    first_day: date
    last_day: date

    @model_validator(mode="after")
    def _holds_a_day(self) -> Self:
        if self.last_day < self.first_day:
            raise ValueError(f"a window ends on {self.last_day}, before it starts on {self.first_day}.")
        return self

    @property
    def key(self) -> str:
        """The window's name in partitions, tags and messages."""
        return self.last_day.isoformat()

    def split(self, last_day: date) -> tuple[Window, Window]:
        """Cut into the days up to ``last_day`` and the days after it."""
        return (
            Window(first_day=self.first_day, last_day=last_day),
            Window(first_day=last_day + timedelta(days=1), last_day=self.last_day),
        )

    def __str__(self) -> str:
        return f"{self.first_day} to {self.last_day}"


class Staged(Value):
    """Typed rows on their way in.

    Attributes:
        uri: Folder of the staged files and of what they are, see `data_contracts.staged`; empty when nothing was new.
        rows_read: Rows in the files taken.
        columns: Source column to the narrowest and the widest type taken so far, which the next night's files are
            compared with.
        unread_time: For people: a time that cannot be read, and what could be; empty without.
    """

    uri: str
    consumed: tuple[str, ...] = Field((), description="What the source files taken are remembered as.")
    rows_read: int = 0
    left_out: int = Field(0, description="Rows that the settings say not to take (`source.where`).")
    columns: dict[str, tuple[str, str]] = {}
    unread_time: str = ""


class Validated(Value):
    """The rows that kept their contract, published.

    Attributes:
        truth: Version of the table of the truth that the newest window was opened with.
        window: That window.
        rows_read: Rows of the newest files taken: those accepted, quarantined, dropped, repeats, forgotten,
            and left out.
        accepted: Rows put into the truth.
        early: Those of them that are of days after the window, and wait there for their own.
        quarantined: Rows put into `quarantine`.
        dropped: Rows that came too late, where the settings say to drop them.
        repeats: Rows that were in one of the two tables, or came more than once.
        forgotten: Rows about people who are forgotten.
        left_out: Rows that the settings say not to take.
    """

    truth: int
    rows_read: int = 0
    accepted: int = 0
    early: int = 0
    quarantined: int = 0
    dropped: int = 0
    repeats: int = 0
    forgotten: int = 0
    left_out: int = 0
    window: Window
    docs_uri: str = Field("", description="The Data Docs page; empty when nothing was new.")
    of_table: tuple[str, ...] = Field((), description="What rules about all new rows together saw, a line each.")


class Night(Value):
    """A night's record: what training, evaluation and the server read.

    Attributes:
        window: The newest window, which judges.
        windows: Keys of every window in the tables, oldest first; the last is ``window``'s.
        tables: Table name to version.
    """

    window: Window
    windows: tuple[str, ...]
    tables: dict[str, int]
    protocol: Protocol = "nightly"


class Candidate(Value):
    """A trained model that nobody has judged yet.

    Attributes:
        run_id: Of the MLflow run.
        checkpoint: Folder of the weights and their config (safetensors, JSON).
        trained_through: Key of the newest window it was trained on.
        remark: For people: what was unusual about its training.
    """

    run_id: str
    checkpoint: str
    trained_through: str
    remark: str = ""


class ModelVersion(Value):
    """One version of a registered model."""

    name: str
    version: str


class Answer(Value):
    """What a person says who is asked whether a version is to be promoted."""

    yes: bool
    who: str
    why: str

    def __str__(self) -> str:
        """Say it in one sentence."""
        return f"{self.who} said {'yes' if self.yes else 'no'}: {self.why.rstrip('.')}."


class Promotion(Value):
    """What was decided about a version, and why.

    Attributes:
        version: The version judged.
        previous: The champion before, if there was one.
        promoted: Whether it is to become champion.
        reason: For people; stored on the version.
        served: What the model server does now, once `deploy` has run.
        stands: Whether that was decided before: no new window was opened, or the night was run again.
        waiting: Whether the gate would promote it, and a person is asked first (`gate.approval`).
        question: Where that person answers; empty without one.
    """

    version: ModelVersion
    previous: str | None = None
    promoted: bool
    reason: str
    served: str = ""
    stands: bool = False
    waiting: bool = False
    question: str = ""

    @property
    def verdict(self) -> str:
        """What was decided, in a word or two."""
        return "waiting for approval" if self.waiting else "promoted" if self.promoted else "not promoted"

    def __str__(self) -> str:
        """Say the verdict first, then where a question is answered, then why, in one line."""
        version = f"{self.version.name} version {self.version.version}"
        said = f"no new decision: {version} stays {self.verdict}" if self.stands else f"{self.verdict}: {version}"
        return f"{said}. {f'Yes or no? {self.question} ' if self.question else ''}{self.reason}"
