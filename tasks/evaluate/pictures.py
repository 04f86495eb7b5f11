"""Pictures of what was judged and learned, for MLflow's run and Prefect's page."""

from __future__ import annotations

import base64
import math
import tempfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from data_contracts.evidence import Confusion, Evidence, Reliability
from tasks.evaluate.shown import in_capitals, in_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Curve = Mapping[int, float]
"""Epoch, from 1, to a metric at its end."""
STANDINGS, SLICES, CONFUSION, RELIABILITY, LEARNING = NAMES = tuple(
    f"{name}.png" for name in ("evidence", "slices", "confusion", "reliability", "learning")
)
"""Names of the pictures, in the order in which they are shown."""


def pictures(evidence: Evidence, learned: Mapping[str, Curve]) -> dict[str, Figure]:
    """Draw everything that there is to see, by name.

    Args:
        evidence: Of the contestant chosen come what was taken for what, and how far its chances can be counted on.
        learned: Metric to its curve; empty where no training wrote one.
    """
    drawn = {STANDINGS: draw_standings(evidence)}
    if evidence.slices:
        drawn[SLICES] = draw_slices(evidence)
    if evidence.chosen in evidence.confusion:
        drawn[CONFUSION] = draw_confusion(evidence.confusion[evidence.chosen])
    if evidence.chosen in evidence.reliability:
        drawn[RELIABILITY] = draw_reliability(evidence.reliability[evidence.chosen])
    if learned:
        drawn[LEARNING] = draw_learning(learned)
    return drawn


def in_markdown(name: str, figure: Figure) -> str:
    """Return a picture as Markdown that holds all of it: a page needs no address of ours."""
    written = BytesIO()
    figure.savefig(written, format="png")
    return _held(name, written.getvalue())


def recorded_pictures(tracking_uri: str, run_id: str) -> list[str]:
    """Return the pictures that a run keeps, as `in_markdown` does."""
    import mlflow
    from mlflow import MlflowClient

    listed = {artifact.path for artifact in MlflowClient(tracking_uri=tracking_uri).list_artifacts(run_id)}
    held: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in [each for each in NAMES if each in listed]:
            file = mlflow.artifacts.download_artifacts(
                run_id=run_id, artifact_path=name, dst_path=folder, tracking_uri=tracking_uri
            )
            held.append(_held(name, Path(file).read_bytes()))
    return held


def _held(name: str, png: bytes) -> str:
    return f"![{name}](data:image/png;base64,{base64.b64encode(png).decode()})"


def draw_standings(evidence: Evidence) -> Figure:
    """Return one group of bars a metric of those to draw, one bar a contestant."""
    figure, drawn = _figure(7, 3.5), evidence.by.drawn
    axes = _bare(figure.subplots())
    width = 0.8 / len(evidence.metrics)
    for number, (contestant, metrics) in enumerate(evidence.metrics.items()):
        places = [group + number * width for group in range(len(drawn))]
        bars = axes.bar(places, [metrics.get(name, 0.0) for name in drawn], width, label=contestant)
        axes.bar_label(bars, fmt="%.3f", fontsize=8)
    axes.set_xticks([group + 0.4 - width / 2 for group in range(len(drawn))], list(map(in_capitals, drawn)))
    what = ", ".join(filter(None, (f"{evidence.counts.get('targets', 0):,} targets held out", evidence.by.window)))
    axes.set_title(what, loc="left")
    axes.legend(frameon=False)
    return figure


def draw_slices(evidence: Evidence) -> Figure:
    """Return a line a slice, with a point for each contestant: the metric that decides."""
    slices, decides = list(evidence.slices.values()), evidence.by.primary
    figure = _figure(7, 1 + 0.35 * len(slices))
    axes = _bare(figure.subplots())
    for contestant in evidence.metrics:
        values = [part.metrics.get(contestant, {}).get(decides, math.nan) for part in slices]
        axes.plot(values, range(len(slices)), marker="o", linestyle="", label=contestant)
    names = [f"{in_words(name)} ({part.units:,} {evidence.by.unit}s)" for name, part in evidence.slices.items()]
    axes.set_yticks(range(len(slices)), names, parse_math=False)
    axes.set_ylim(len(slices) - 0.5, -0.5)
    axes.grid(axis="y", linewidth=0.5)
    axes.set_xlabel(in_capitals(decides))
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def draw_confusion(confusion: Confusion) -> Figure:
    """Return what was taken for what: a row a class, dark where much of it was taken for the column's."""
    classes, size = confusion.classes, max(len(confusion.classes) * 0.5, 3)
    figure = _figure(size + 1, size)
    axes = figure.subplots()
    shares = [[count / max(sum(row), 1) for count in row] for row in confusion.counts]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, counts in enumerate(confusion.counts):
        for column, count in enumerate(counts):
            ink = "white" if shares[row][column] > 1 / 2 else "black"
            axes.text(column, row, f"{count:,}" if count else "", ha="center", va="center", fontsize=7, color=ink)
    axes.set_xticks(range(len(classes)), classes, rotation=90, parse_math=False)
    axes.set_yticks(range(len(classes)), classes, parse_math=False)
    axes.set_xlabel("taken for")
    axes.set_ylabel("is")
    return figure


def draw_reliability(reliability: Reliability) -> Figure:
    """Return what came beside what was predicted, a point a group, and below how many each of them is."""
    figure = _figure(4.5, 5)
    above, below = map(_bare, figure.subplots(2, sharex=True, height_ratios=(3, 1)))
    above.plot((0, 1), (0, 1), color="grey", linewidth=1, linestyle="--")
    above.plot(reliability.predicted, reliability.seen, marker="o", markersize=4)
    above.set_ylabel("share seen")
    below.vlines(reliability.predicted, 0, reliability.counts, linewidth=4)
    below.set_ylabel("how many")
    below.set_xlabel("mean predicted chance")
    return figure


def draw_learning(learned: Mapping[str, Curve]) -> Figure:
    """Return a panel for each metric, by epoch."""
    from matplotlib.ticker import MaxNLocator

    figure = _figure(6, 2.2 * len(learned))
    panels = list(map(_bare, figure.subplots(len(learned), sharex=True, squeeze=False)[:, 0]))
    for axes, (metric, curve) in zip(panels, learned.items(), strict=True):
        axes.plot(list(curve), list(curve.values()), marker="o", markersize=3)
        axes.set_ylabel(metric)
    panels[-1].set_xlabel("epoch")
    panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure  # it takes long to import, and most commands draw nothing

    return Figure(figsize=(width, height), layout="constrained")


def _bare(axes: Axes) -> Axes:
    axes.spines[["top", "right"]].set_visible(False)
    return axes
