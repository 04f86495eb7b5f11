"""What judging says: the numbers of every contestant, and by which of them a use case is decided about."""

from __future__ import annotations

from pydantic import Field

from data_contracts.night import Value

NIGHTLY = ".nightly"
"""Ends the name of a metric with state as of the window's start; others are with all that was known at each target."""


class Metrics(Value):
    """By what a use case compares its contestants; it declares it.

    Attributes:
        primary: Decides, unless the gate's settings name another one.
        shown: In tables, in this order.
        drawn: In the picture.
        lower_is_better: Those of which less is better, as of an error; of all others more is.
        baselines: Contestants that need no training: a candidate must be better than every one of them.
        unit: What is judged one by one and independent of others, in the singular: a user, a document, an image.
        window: What was judged, for people: a few words after "the held-out window".
    """

    primary: str
    shown: tuple[str, ...]
    drawn: tuple[str, ...]
    lower_is_better: tuple[str, ...] = ()
    baselines: tuple[str, ...]
    unit: str = "unit"
    window: str = ""

    def sign(self, metric: str) -> int:
        """Return 1 where more of a metric is better, -1 where less is."""
        return -1 if metric in self.lower_is_better else 1


class Confusion(Value):
    """What was taken for what, by one contestant.

    Attributes:
        classes: What things are, and may be taken for.
        counts: Of each class (outer) how many were taken for each (inner), in that order.
    """

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


class Judgement(Value):
    """What the held-out window says about every contestant.

    Attributes:
        by: What the numbers are, and which of them decides.
        metrics: Contestant to metric name to value; one whose name ends in `NIGHTLY` is with other state.
        counts: What was judged: ``units`` and ``targets``; ``window_units`` and ``window_targets``, all there were
            before anything was left out; and whatever else the use case counts.
        remarks: For people: how to read it.
        confusion: Contestant to what it took for what; empty where there are no classes, or many.
    """

    by: Metrics
    metrics: dict[str, dict[str, float]]
    counts: dict[str, int]
    remarks: tuple[str, ...] = ()
    confusion: dict[str, Confusion] = Field(default_factory=dict)


class Evidence(Judgement):
    """What was judged, kept in the candidate's run.

    Attributes:
        run_id: Of the MLflow run that carries it.
        left_out: Contestant that was not judged to the reason.
        champion_damaged: Whether the champion was left out because its bundle is not as it was published.
    """

    run_id: str
    left_out: dict[str, str] = Field(default_factory=dict)
    champion_damaged: bool = False
