"""What judging says: the numbers of every contestant, and by which of them a use case is decided about."""

from __future__ import annotations

from typing import Self

from pydantic import Field

from data_contracts.night import Value
from data_contracts.version import CANDIDATE

NIGHTLY = ".nightly"
"""Ends the name of a metric with state as of the window's start; others are with all that was known at each target."""


class Metrics(Value):
    """By what a use case compares its contestants; it declares it.

    Attributes:
        primary: Decides.
        shown: In tables, in this order.
        drawn: In the picture.
        whole: Those of the whole window, of which no unit has a part: they are shown, and cannot decide.
        lower_is_better: Those of which less is better, as of an error; of all others more is.
        baselines: Contestants that need no training: a candidate must surely be better than every one of them.
        rivals: Contestants that judging itself trains, and that take the candidate's place where they are better. Each
            leaves its weights in a folder under `data_contracts.job.RIVALS`, in the form that `save` writes.
        unit: What is judged one by one and independent of others, in the singular: a user, a document, an image.
        window: What was judged, for people: a few words after "the held-out window".
    """

    primary: str
    shown: tuple[str, ...]
    drawn: tuple[str, ...]
    whole: tuple[str, ...] = ()
    lower_is_better: tuple[str, ...] = ()
    baselines: tuple[str, ...]
    rivals: tuple[str, ...] = ()
    unit: str = "unit"
    window: str = ""

    @property
    def sign(self) -> int:
        """1 where more of the metric that decides is better, -1 where less is."""
        return -1 if self.primary in self.lower_is_better else 1

    @property
    def may_decide(self) -> tuple[str, ...]:
        """Those of the metrics shown that `decided_by` takes."""
        return tuple(metric for metric in self.shown if metric not in self.whole)

    def decided_by(self, metric: str | None) -> Self:
        """Return this with another metric that decides; with its own where none is named."""
        return self if metric is None else self.model_copy(update={"primary": metric})


class Interval(Value):
    """Where a number lies with a certainty of 90 %: below ``low`` in 5 % of all cases, above ``high`` in 5 %."""

    low: float
    high: float


class Confusion(Value):
    """What was taken for what, by one contestant.

    Attributes:
        classes: What things are, and may be taken for.
        counts: Of each class (outer) how many were taken for each (inner), in that order.
    """

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


class Reliability(Value):
    """What came, beside what one contestant had predicted: targets in groups by their chance, the lowest first.

    Attributes:
        predicted: Mean chance of each group.
        seen: Share of it that came so.
        counts: Targets in it.
    """

    predicted: tuple[float, ...]
    seen: tuple[float, ...]
    counts: tuple[int, ...]


class Sample(Value):
    """What the candidate answers, for people to read.

    Attributes:
        asked: It was asked this,
        answered: and answers so.
    """

    asked: str
    answered: str


class Slice(Value):
    """How contestants do for a part of what was judged.

    Attributes:
        units: That have a target in it.
        metrics: Contestant to metric name to value, as over everything; nothing where it cannot be said of this part.
    """

    units: int
    metrics: dict[str, dict[str, float]]


class Judgement(Value):
    """What the held-out window says about every contestant.

    Attributes:
        by: What the numbers are, and which of them decides.
        metrics: Contestant to metric name to value; one whose name ends in `NIGHTLY` is with other state.
        chosen: Who is to be published: the candidate, or a rival that did better.
        ahead: Every other contestant to by how much the chosen one is better in the metric that decides.
        counts: What was judged: ``units`` and ``targets``; ``window_units`` and ``window_targets``, all there were
            before anything was left out; and whatever else the use case counts.
        remarks: For people: how to read it.
        samples: For people, too: answers that are texts; the same questions every night, or those of the window.
        slices: Name, in words joined by ``_``, to a part of what was judged; without those that hold no target.
        confusion: Contestant to what it took for what; empty where there are no classes, or many.
        reliability: Contestant to how far its chances can be counted on; without those that gave no number.
        intervals: Contestant to metric name to where it lies, over units as they are drawn; where a use case says it.
    """

    by: Metrics
    metrics: dict[str, dict[str, float]]
    chosen: str = CANDIDATE
    ahead: dict[str, Interval]
    counts: dict[str, int]
    remarks: tuple[str, ...] = ()
    samples: tuple[Sample, ...] = ()
    slices: dict[str, Slice] = Field(default_factory=dict)
    confusion: dict[str, Confusion] = Field(default_factory=dict)
    reliability: dict[str, Reliability] = Field(default_factory=dict)
    intervals: dict[str, dict[str, Interval]] = Field(default_factory=dict)


class Evidence(Judgement):
    """What was judged, kept in the candidate's run.

    Attributes:
        run_id: Of the MLflow run that carries it.
        versions: Contestant that is a version of the registered model to its number.
        left_out: Contestant that was not judged to the reason.
        champion_damaged: Whether the champion was left out because its bundle is not as it was published.
    """

    run_id: str
    versions: dict[str, str] = Field(default_factory=dict)
    left_out: dict[str, str] = Field(default_factory=dict)
    champion_damaged: bool = False
