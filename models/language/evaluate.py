"""Judges contestants on the window that nobody trained on: every document of its own days, the same for all.

A document that says nearly the same as one that was there before is left out, and counted: it may have been learned by
heart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.evidence import Judgement, Sample, Slice
from data_contracts.job import EvaluateJob
from data_contracts.language.examples import BANDS
from data_contracts.language.spelling import Spelling, spelling
from data_contracts.language.symbols import UNKNOWN
from data_contracts.manifest import verify
from data_contracts.version import CANDIDATE
from models.bootstrap import compare
from models.language.baselines import baselines
from models.language.metrics import METRICS, Floats, judged, values
from models.language.reading import bands_of, batches, documents, symbols
from models.language.saying import go_on
from models.language.surprise import Symbols, surprise
from models.language.weights import load
from models.reading import on_its_days
from models.slices import Flags, sliced
from models.twins import seen_before
from models.weights import WeightsError

SHORT, LONG = 500, 2_000
"""Characters below which a document is short, and from which on it is long."""
SAMPLES, BEGUN, NEW, TEMPERATURE = 3, 40, 160, 0.8
"""Texts that the candidate goes on with, their symbols before and after, and how these are drawn."""


class Contestant(Protocol):
    """Says how likely texts are."""

    def surprise(self, texts: list[Symbols]) -> Floats:
        """Return the nats of each, (texts,)."""
        ...


class Learned:
    """A network; characters that came after it, it knows as unknown ones.

    Args:
        folder: Of its weights, verified here.
        own: What the documents are made to.

    Raises:
        DamagedError: The weights are not as they were written.
        WeightsError: They were trained on other symbols.
    """

    def __init__(self, folder: Path, own: Spelling) -> None:
        verify(folder)
        self.network, self.record = load(folder)
        if type(self.record.spelling) is not type(own) or not own.is_read_by(self.record.symbols):
            raise WeightsError(f"weights in {folder} know other {self.record.tokens} than the tables have.")

    def surprise(self, texts: list[Symbols]) -> Floats:
        """See `Contestant.surprise`."""
        return surprise(self.network, texts)

    def going_on(self, begun: Symbols) -> str:
        """Return how a text could go on."""
        said = go_on(self.network, begun.tolist(), most=NEW, temperature=TEMPERATURE, seed=0)
        return self.record.spelling.text(said)


class Judged(NamedTuple):
    """Documents that are judged.

    Attributes:
        texts: By the numbers of their symbols.
        characters: In each, (units,).
        bytes: In each, (units,).
        late: Documents of the window that are of days before it.
        twins: Documents of its days that say nearly the same as one before,
        twins_characters: and characters in them.
    """

    texts: list[Symbols]
    characters: Floats
    bytes: Floats
    late: int
    twins: int
    twins_characters: int


def evaluate(job: EvaluateJob) -> Judgement:
    """Judge every contestant and the baselines.

    Returns:
        `models.language.metrics.judged` by contestant, ``one_gram`` and ``five_gram``. Counts: ``units``, documents;
        ``targets``, their characters; ``late`` and ``near_duplicates``, which are not judged; ``unknown_characters``.

    Raises:
        DamagedError: Weights are not as they were written.
        FileNotFoundError: A table, or its version, is not there.
        WeightsError: A contestant was trained on other symbols.
    """
    own = spelling(str(job.features["tokens"]), symbols(job.tables))
    contestants = {name: Learned(Path(folder), own) for name, folder in job.contestants.items()}
    everybody: dict[str, Contestant] = {**contestants, **baselines(job)}
    found = _to_judge(job)
    nats = {name: each.surprise(found.texts) for name, each in everybody.items()}
    by = METRICS.decided_by(job.metric)
    units, characters = len(found.texts), int(found.characters.sum())
    chosen, ahead = compare(by, values(by.primary, nats, found.characters, found.bytes), units)
    return Judgement(
        by=by,
        chosen=chosen,
        ahead=ahead,
        metrics={name: judged(each, found.characters, found.bytes) if units else {} for name, each in nats.items()},
        slices=_slices(nats, found),
        counts={
            "units": units,
            "targets": characters,
            "window_units": units + found.twins,
            "window_targets": characters + found.twins_characters,
            "late": found.late,
            "near_duplicates": found.twins,
            "unknown_characters": int(sum((text == UNKNOWN).sum() for text in found.texts)),
        },
        samples=tuple(_samples(contestants, nats, own, found.texts)),
    )


def _samples(
    contestants: Mapping[str, Learned], nats: Mapping[str, Floats], own: Spelling, texts: list[Symbols]
) -> Iterator[Sample]:
    """Have the candidate begin a text, and go on with the beginnings of the first documents that judge."""
    if CANDIDATE in contestants and np.isfinite(nats[CANDIDATE]).all():
        for begun in [np.empty(0, np.int32), *(text[:BEGUN] for text in texts[: SAMPLES - 1])]:
            yield Sample(asked=own.text(begun.tolist()), answered=contestants[CANDIDATE].going_on(begun))


def _slices(nats: Mapping[str, Floats], found: Judged) -> dict[str, Slice]:
    long, short = found.characters >= LONG, found.characters < SHORT
    parts = {"short_documents": short, "documents_of_medium_length": ~(short | long), "long_documents": long}

    def of(nats_U: Floats) -> Callable[[Flags], dict[str, float]]:
        return lambda chosen: judged(nats_U[chosen], found.characters[chosen], found.bytes[chosen])

    return sliced(parts, {name: of(each) for name, each in nats.items()})


def _to_judge(job: EvaluateJob) -> Judged:
    texts: list[Symbols] = []
    sizes = [np.empty((2, 0))]
    again = _seen_before(job)
    start = late = twins = twins_characters = 0
    for batch in batches(job.tables, [job.window], ["symbols", "characters", "bytes", "written_at"]):
        own = on_its_days(batch, "written_at", job)
        is_twin = pa.array(again[start : start + own.num_rows])
        new = own.filter(pc.invert(is_twin))
        start += own.num_rows
        late += batch.num_rows - own.num_rows
        twins += own.num_rows - new.num_rows
        twins_characters += pc.sum(own.filter(is_twin)["characters"]).as_py() or 0
        texts += documents(new)
        sizes.append(np.array([new[name].to_numpy() for name in ("characters", "bytes")], np.float64))
    characters, sized = np.concatenate(sizes, axis=1)
    return Judged(texts, characters, sized, late, twins, twins_characters)


def _seen_before(job: EvaluateJob) -> Flags:
    """Say which documents of the window's own days say nearly the same as one before them."""
    window = batches(job.tables, [job.window], ["bands", "written_at"])
    own = [bands_of(on_its_days(batch, "written_at", job)) for batch in window]
    older = map(bands_of, batches(job.tables, job.known_windows, ["bands"]))
    return seen_before(np.concatenate([np.empty((0, BANDS), np.int64), *own]), older)
