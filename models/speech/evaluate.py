"""Judges contestants on the window that nobody trained on: every recording of its own days, the same for all.

A copy of a recording that was there before is left out, and counted: it may have been learned by heart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from data_contracts.evidence import Judgement, Sample, Slice
from data_contracts.job import EvaluateJob
from data_contracts.manifest import verify
from data_contracts.speech.examples import EXAMPLES
from data_contracts.speech.log_mel import Frames
from data_contracts.version import CANDIDATE
from data_contracts.waiting import counted
from models.bootstrap import compare, intervals
from models.language.reading import symbols
from models.reading import drawn, on_its_days
from models.slices import Flags, by_value, sliced
from models.speech.baselines import MOST_RECORDINGS, Commonest, WholeTexts
from models.speech.hearing import Listener
from models.speech.metrics import COMMONEST, METRICS, SVM, Errors, confusion, values
from models.speech.reading import batches, dataset_of, digests, frames
from models.speech.weights import differences, load
from models.twins import seen_before
from models.weights import WeightsError

FEW_WORDS = 5
"""Up to as many, a recording says few."""
SAMPLES = 5
"""Recordings of which it is shown what the candidate hears."""
NOTHING = "(nothing)"


class Contestant(Protocol):
    """Says what is said."""

    def heard(self, sounds: Sequence[Frames]) -> list[str | None]:
        """Return the text of each; None where a network gives no number."""
        ...


class Learned:
    """A network; characters that came after it, it never writes.

    Args:
        folder: Of its weights, verified here.
        symbols: All characters that there are, by number.
        features: What recordings are made to.

    Raises:
        DamagedError: The weights are not as they were written.
        WeightsError: They were trained on other characters or features.
    """

    def __init__(self, folder: Path, symbols: tuple[str, ...], features: Mapping[str, object]) -> None:
        verify(folder)
        ready = load(folder)
        wanted = ready.record.model_copy(update={"symbols": symbols, **{k: features[k] for k in ("rate", "mels")}})
        if found := differences(ready.record, wanted):
            raise WeightsError(f"weights in {folder} do not fit the tables: {'; '.join(found)}.")
        self._listener = Listener(ready)

    def heard(self, sounds: Sequence[Frames]) -> list[str | None]:
        """See `Contestant.heard`."""
        return [each and each.text for each in self._listener.heard(sounds)]


class Judged(NamedTuple):
    """What is judged.

    Attributes:
        said: Texts of the recordings.
        heard: Contestant to what it heard in each.
        speakers: Of each; null where nobody says so.
        late: Recordings of the window that are of days before it.
        copies: Recordings of its days that are a copy of one before.
    """

    said: list[str]
    heard: dict[str, list[str | None]]
    speakers: pa.ChunkedArray
    late: int
    copies: int


def evaluate(job: EvaluateJob) -> Judgement:
    """Judge every contestant and the baselines.

    Returns:
        `METRICS.shown` by contestant, ``commonest`` and ``svm``. Counts: ``units``, recordings; ``targets``, their
        characters; ``late`` and ``copies``, which are not judged; those of `Waiting`. Slices are of how much is said,
        and of speakers, where these are few; so is what was heard as what, where few texts are said.

    Raises:
        DamagedError: Weights are not as they were written.
        FileNotFoundError: A table, or its version, is not there.
        ValueError: No older recording is there to count.
        WeightsError: A contestant was trained on other characters or features.
    """
    known = symbols(job.tables)
    contestants = {name: Learned(Path(folder), known, job.features) for name, folder in job.contestants.items()}
    found = _heard(job, {**contestants, **baselines(job)})
    errors = {name: Errors.of(found.said, texts) for name, texts in found.heard.items()}
    by, units, characters = METRICS.decided_by(job.metric), len(found.said), sum(map(len, found.said))
    chosen, ahead = compare(by, values(by.primary, errors), units)
    taken_for = {name: confusion(found.said, texts) for name, texts in found.heard.items()}
    return Judgement(
        by=by,
        chosen=chosen,
        ahead=ahead,
        metrics={name: each.metrics(np.ones(units)) for name, each in errors.items()},
        slices=_slices(errors, found),
        counts={
            "units": units,
            "targets": characters,
            "window_units": units + found.copies,
            "window_targets": characters,
            "late": found.late,
            "copies": found.copies,
            **counted(job.tables, EXAMPLES),
        },
        confusion={name: each for name, each in taken_for.items() if each is not None and units},
        intervals={name: intervals(errors[name].metrics, units) for name in contestants},
        samples=tuple(_samples(found)),
    )


def baselines(job: EvaluateJob) -> dict[str, Contestant]:
    """Count, and learn by whole texts, what was there before the window."""
    mels, night = int(str(job.features["mels"])), job.known_windows[-1]
    said = [text for batch in batches(job.tables, job.known_windows, ["text"]) for text in batch["text"].to_pylist()]
    if not said:
        raise ValueError(f"no transcribed recording in windows {', '.join(job.known_windows)}: baselines know nothing.")
    columns = ("log_mel", "text")
    pieces = drawn(dataset_of(job.tables), job.known_windows, MOST_RECORDINGS, seed=0, night=night, columns=columns)
    learned = WholeTexts((frames(piece, mels), piece["text"].to_pylist()) for piece in pieces)
    return {COMMONEST: Commonest(said), SVM: learned}


def _heard(job: EvaluateJob, everybody: Mapping[str, Contestant]) -> Judged:
    mels, is_copy = int(str(job.features["mels"])), _copies(job)
    found = Judged([], {name: [] for name in everybody}, pa.chunked_array([pa.array([], pa.string())]), 0, 0)
    start = 0
    for batch in batches(job.tables, [job.window], ["log_mel", "text", "speaker_id", "known_at"]):
        own = on_its_days(batch, "known_at", job)
        copies = is_copy[start : start + own.num_rows]
        start += own.num_rows
        new = own.filter(pa.array(~copies))
        sounds = frames(new, mels)
        found.said.extend(new["text"].to_pylist())
        for name, contestant in everybody.items():
            found.heard[name].extend(contestant.heard(sounds))
        found = found._replace(
            speakers=pa.chunked_array([*found.speakers.chunks, new["speaker_id"]]),
            late=found.late + batch.num_rows - own.num_rows,
            copies=found.copies + int(copies.sum()),
        )
    return found


def _copies(job: EvaluateJob) -> Flags:
    """Say which recordings of the window's own days are copies of one before them."""
    window = batches(job.tables, [job.window], ["digest", "known_at"])
    own = [digests(on_its_days(batch, "known_at", job)) for batch in window]
    older = map(digests, batches(job.tables, job.known_windows, ["digest"]))
    return seen_before(np.concatenate([np.empty((0, 1), np.int64), *own]), older)


def _slices(errors: Mapping[str, Errors], found: Judged) -> dict[str, Slice]:
    words_U = np.array([len(text.split()) for text in found.said], np.int64)
    one, many = words_U == 1, words_U > FEW_WORDS
    lengths = {"one_word": one, "few_words": ~(one | many), "many_words": many}
    parts = {name: chosen for name, chosen in lengths.items() if not chosen.all()}
    of_each = {name: each.of_part for name, each in errors.items()}
    return sliced({**parts, **by_value(found.speakers, "speaker")}, of_each)


def _samples(found: Judged) -> Iterator[Sample]:
    """Show what the candidate hears: first where it is wrong."""
    heard = found.heard.get(CANDIDATE, [])
    wrong_first = sorted(range(len(heard)), key=lambda row: heard[row] == found.said[row])
    for row in wrong_first[:SAMPLES]:
        yield Sample(asked=found.said[row], answered=heard[row] or NOTHING)
