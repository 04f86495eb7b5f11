"""Evidence as people read it: tables of contestants and of slices, and remarks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from data_contracts.evidence import NIGHTLY, Evidence


class Table(NamedTuple):
    """Texts to show: the first column says what a row is, the others are numbers.

    Attributes:
        head: Names of the columns.
        rows: As many cells each.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def in_words(name: str) -> str:
    """Return the name of a slice or a count as people read it."""
    return " ".join(name.replace("_", " ").split())


def in_capitals(metric: str) -> str:
    """Return a metric's name as tables have it."""
    return metric.upper().replace("_", " ")


def tables(evidence: Evidence, reference: Mapping[str, float] | None = None) -> list[Table]:
    """Return what to show: every contestant, then each with state as of the window's start, by metric; and the slices.

    Args:
        evidence: What was judged.
        reference: Metrics to show beside.
    """
    shown = evidence.by.shown
    lines = {**_standings(evidence), **({"best reachable": reference} if reference else {})}
    whole = Table(
        ("", *map(in_capitals, shown)),
        tuple((line, *(_number(metrics, name) for name in shown)) for line, metrics in lines.items()),
    )
    return [whole, _sliced(evidence)] if evidence.slices else [whole]


def _standings(evidence: Evidence) -> dict[str, Mapping[str, float]]:
    live: dict[str, Mapping[str, float]] = {}
    nightly: dict[str, Mapping[str, float]] = {}
    for contestant, metrics in evidence.metrics.items():
        live[contestant] = metrics
        as_of_start = {name.removesuffix(NIGHTLY): value for name, value in metrics.items() if name.endswith(NIGHTLY)}
        nightly |= {f"{contestant}, nightly": as_of_start} if as_of_start else {}
    return live | nightly


def _sliced(evidence: Evidence) -> Table:
    """Return a row a slice: how many are in it, and the metric that decides of every contestant."""
    decides = evidence.by.primary
    return Table(
        (f"{in_capitals(decides)} of", f"{evidence.by.unit}s", *evidence.metrics),
        tuple(
            (
                in_words(name),
                f"{part.units:,}",
                *(_number(part.metrics.get(contestant, {}), decides) for contestant in evidence.metrics),
            )
            for name, part in evidence.slices.items()
        ),
    )


def _number(metrics: Mapping[str, float], name: str) -> str:
    return f"{metrics[name]:.4f}" if name in metrics else ""


def remarks(evidence: Evidence) -> list[str]:
    """Say for people what was judged, how to read the metrics, and who was not judged."""
    named = {in_words(name).replace("units", f"{evidence.by.unit}s"): n for name, n in evidence.counts.items()}
    return [
        ", ".join(f"{name} {count:,}" for name, count in named.items()),
        *_ahead(evidence),
        *_lies(evidence),
        *evidence.remarks,
        *(f"Not judged, {contestant}: {reason}." for contestant, reason in evidence.left_out.items()),
    ]


def samples(evidence: Evidence) -> list[str]:
    """Say what the candidate answers, a line a question."""
    return [f"{each.asked!r} -> {each.answered!r}" for each in evidence.samples]


def _ahead(evidence: Evidence) -> list[str]:
    """Say by how much the contestant that is to be published is ahead of the others, and how sure that is."""
    if not evidence.ahead:
        return []
    by = evidence.by
    versions = {name: f"{name} (version {version})" for name, version in evidence.versions.items()}
    told = ", ".join(
        f"{versions.get(name, name)} {ahead.low:+.4f} to {ahead.high:+.4f}" for name, ahead in evidence.ahead.items()
    )
    return [
        f"{in_capitals(by.primary)} of the {evidence.chosen}, better by: {told} (in 90 % of all draws of {by.unit}s "
        "from those judged)"
    ]


def _lies(evidence: Evidence) -> list[str]:
    """Say where the metrics of the contestant that is to be published lie."""
    told = ", ".join(
        f"{in_capitals(metric)} {found.low:.4f} to {found.high:.4f}"
        for metric, found in evidence.intervals.get(evidence.chosen, {}).items()
    )
    return [f"The {evidence.chosen} lies at {told} (in 90 % of all such draws)"] if told else []


def as_markdown(evidence: Evidence) -> str:
    """Return a table, one row a contestant, one of the slices if there are any, what was judged, and samples."""
    answers = "\n".join(f"    {line}" for line in samples(evidence))  # as they are: a text is no Markdown
    return "\n\n".join([*map(_in_markdown, tables(evidence)), *remarks(evidence), *filter(None, [answers])])


def _in_markdown(table: Table) -> str:
    return "\n".join(map(_row, [table.head, ["---", *("---:" for _ in table.head[1:])], *table.rows]))


def _row(cells: Sequence[str]) -> str:
    escaped = (cell.replace("|", r"\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"
