"""What the command line prints: the only place that does."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from copy import copy
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text
from tritonclient.utils import InferenceServerException

from data_contracts.binary import from_json
from data_contracts.bundle import find_version
from data_contracts.evidence import Evidence
from data_contracts.night import Night, Promotion, Window
from data_contracts.serving import curl_for_pieces
from data_contracts.version import EXAMPLE, NIGHT
from flows.conserved import conserved
from flows.seen import Seen, duration
from tasks.deploy.client import ask_over_grpc, ask_over_rest
from tasks.deploy.server import ModelServer, ServerError
from tasks.evaluate.record import recorded_evidence
from tasks.evaluate.shown import remarks, samples
from tasks.evaluate.shown import tables as evidence_tables
from tasks.tidy.disk import disk_use, in_words

if TYPE_CHECKING:
    from flows.settings import NightlySettings

WIDTH = 140
"""Columns, at least, where it is no terminal that says how many there are: a log has room."""
MOST_SHOWN = 10
"""Of a list in an answer."""

console = Console(highlight=False, soft_wrap=True)
if not console.is_terminal:
    console.width = max(console.width, WIDTH)


def line(text: str) -> None:
    """Print one line."""
    console.print(text, markup=False)


def services(found: Mapping[str, tuple[str, str]]) -> None:
    """Print every server, its address, and what it answers."""
    for name, (url, answer) in found.items():
        line(f"{name:<10} {url:<28} {answer}")


def nights(seen: Seen, stale_hours: float | None) -> None:
    """Print what is not well, what is served, and the last nights."""
    for sentence in [*seen.verdict(stale_hours), *seen.asked(), *seen.served_as(stale_hours)]:
        line(sentence)
    for run in seen.listed():
        line(f"{run.planned:%F %R}  {run.state:<10} {duration(run.took):>12}  {run.name}  {run.reason}")


def failure(error: BaseException) -> None:
    """Print why a night ended early."""
    line(f"\nThe night failed. {type(error).__name__}: {error}")


@contextmanager
def without_tracebacks() -> Iterator[None]:
    """Have Prefect print what went wrong as a sentence; its record of the run keeps the traceback."""
    from prefect.logging.handlers import PrefectConsoleHandler

    named = [each for each in logging.root.manager.loggerDict.values() if isinstance(each, logging.Logger)]
    handlers = {each for logger in named for each in logger.handlers if isinstance(each, PrefectConsoleHandler)}
    before = {handler: handler.formatter for handler in handlers}
    for handler, formatter in before.items():
        handler.setFormatter(_Sentence(formatter or logging.Formatter()))
    try:
        yield
    finally:
        for handler, formatter in before.items():
            handler.setFormatter(formatter)


class _Sentence(logging.Formatter):
    """Formats as another does, a copy of the record without its traceback: other handlers want that."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self.inner = inner

    def format(self, record: logging.LogRecord) -> str:
        brief = copy(record)
        brief.exc_info = brief.exc_text = brief.stack_info = None
        return self.inner.format(brief)


def night(promotion: Promotion, settings: NightlySettings) -> None:
    """Print what a night decided, on what evidence, where to look, and one real answer.

    Args:
        promotion: What the flow returned.
        settings: Of the night.
    """
    workspace = settings.workspace()
    judged = promotion.version
    version = find_version(workspace.tracking_uri, judged.name, judged.version)
    if version is None:
        raise LookupError(f"{judged} is not registered at {workspace.tracking_uri}.")
    if promotion.stands:
        line(f"\nNo new decision (the log says why). What was decided about version {judged.version} stands.")
    line(f"\n{judged.name} version {judged.version}: {promotion.verdict}. {promotion.reason}")
    if promotion.question:
        line(f"Yes or no? {promotion.question}, or `python -m flows.approve --help`")
    line(promotion.served)
    evidence = recorded_evidence(workspace.tracking_uri, str(version.run_id))
    if evidence is not None:
        _metrics(evidence, _reference(settings.reference, Night.model_validate_json(version.tags[NIGHT]).window))
    if EXAMPLE in version.tags:
        answers(settings, json.loads(version.tags[EXAMPLE]))
    for said in conserved(workspace, [source for source in (settings.source, settings.labels) if source]):
        line(said)
    line(f"on disk: {in_words(disk_use(workspace))}")
    where = workspace.tracking_uri if workspace.tracking_uri.startswith("http") else settings.mlflow_url
    line(f"\nMLflow: {where}, experiment {workspace.name!r}, run {version.run_id}")
    if where != workspace.tracking_uri:
        store = quote(workspace.tracking_uri)
        line(f"        after `make up`, or: mlflow ui --backend-store-uri {store} --host 127.0.0.1")


def _reference(file: Path | None, window: Window) -> Mapping[str, float]:
    """Metrics to print beside the night's own: those of ``window``; none without a file."""
    found: Mapping[str, Mapping[str, float]] = (
        json.loads(file.read_text(encoding="utf-8")) if file and file.is_file() else {}
    )
    return found.get(str(window), {})


def _metrics(evidence: Evidence, reference: Mapping[str, float]) -> None:
    title = ", ".join(filter(None, ("The held-out window", evidence.by.window)))
    for shown in evidence_tables(evidence, reference):
        table = Table(title=title, title_justify="left")
        for number, name in enumerate(shown.head):
            table.add_column(name, justify="right" if number else "left")
        for row in shown.rows:
            table.add_row(*map(Text, row))
        console.print(table)
    for said in [*remarks(evidence), *samples(evidence)]:
        line(said)


def answers(settings: NightlySettings, example: Mapping[str, object]) -> None:
    """Ask the served model what it was registered with as an example, as any client does; say how it streams, if so."""
    for over, ask in (("REST", ask_over_rest), ("gRPC", ask_over_grpc)):
        try:
            answer = ask(settings.serving, settings.name, example)
        except (OSError, InferenceServerException) as error:
            line(f"over {over}: no answer: {error}")
        else:
            line(f"over {over}, by version {answer.version}: {_listed(example)} -> {_listed(answer.values)}")
    with suppress(ServerError):
        served = ModelServer(settings.name, settings.workspace().tracking_uri, settings.serving).state().served
        if served is not None and served.streams:
            line(f"in pieces: {curl_for_pieces(settings.serving.rest_url, settings.name, example)}")


def _listed(values: Mapping[str, object]) -> str:
    return "; ".join(f"{name} {_shown(from_json(value))}" for name, value in values.items())


def _shown(value: object) -> str:
    if isinstance(value, bytes):
        return f"of {len(value):,} bytes"
    if isinstance(value, list):
        more = f" and {len(value) - MOST_SHOWN:,} more" if len(value) > MOST_SHOWN else ""
        return ", ".join(map(_shown, value[:MOST_SHOWN])) + more
    return f"{value:.4g}" if isinstance(value, float) else str(value)
