"""What a use case gives to learning and answering: the third of the three objects by which it declares itself."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import pyarrow as pa

from data_contracts.evidence import Judgement, Metrics
from data_contracts.job import Config, EvaluateJob, FitJob, PublishJob
from data_contracts.use_cases import declared
from models.fit_config import ModelConfig

if TYPE_CHECKING:
    import pytorch_lightning as pl

    from models.layered import LayeredModule


class Predictor(Protocol):
    """Answers requests from one bundle. Read-only once made: many threads may ask at once."""

    request_schema: pa.Schema
    """Columns a request may have, one row a request; the serving layers derive their signatures from it."""
    answer_schema: pa.Schema
    """Columns of the answer, one row a request."""

    def predict(self, requests: pa.Table) -> pa.Table:
        """Answer every row.

        Raises:
            ValueError: A request is not to the schema; the message says which row and what was wanted.
        """
        ...


@runtime_checkable
class StreamingPredictor(Predictor, Protocol):
    """A predictor that answers piece by piece, too: the server streams for whoever has these two."""

    piece_schema: pa.Schema
    """Columns of a piece. Texts of one column, put together, are what `predict` answers there."""

    def stream(self, request: pa.Table) -> Generator[pa.Table, None, None]:
        """Yield the answer to one row in pieces, each as soon as it is known.

        A piece is computed when it is asked for, by any thread, and never by two at once. The generator is closed when
        nobody wants the rest.

        Raises:
            ValueError: As `predict`, before the first piece.
        """
        ...


class UseCase(Protocol):
    """What is learned, from which batches, against which baselines, and how it answers."""

    @property
    def config(self) -> type[ModelConfig]:
        """Class of its own settings, `model`; all of them have defaults."""
        ...

    @property
    def requirements(self) -> tuple[str, ...]:
        """Libraries that answering needs beside those that the house has anyway (`models.publish.REQUIREMENTS`)."""
        ...

    @property
    def metrics(self) -> Metrics:
        """By what its contestants are compared."""
        ...

    def module(self, job: FitJob) -> LayeredModule:
        """Build what is trained, from nothing or from ``job.warm_start``."""
        ...

    def data(self, job: FitJob) -> pl.LightningDataModule:
        """Build the batches of ``job``'s windows: each a `models.layered.Batch`."""
        ...

    def save(self, module: pl.LightningModule, folder: Path) -> None:
        """Write the weights and their config: safetensors and JSON.

        Where each process has some rows of a table, all call this: each writes its own, the first everything else.
        """
        ...

    def evaluate(self, job: EvaluateJob) -> Judgement:
        """Judge every contestant and the baselines on the same targets."""
        ...

    def write_bundle(self, job: PublishJob, folder: Path) -> None:
        """Write everything `predictor` needs into ``folder``."""
        ...

    def predictor(self, folder: Path) -> Predictor:
        """Open a bundle."""
        ...

    def example(self, job: PublishJob) -> Config:
        """Return a request of somebody or something of the newest window, as people would ask it: JSON."""
        ...

    def golden_requests(self, folder: Path) -> Sequence[Mapping[str, object]]:
        """Make requests up, always the same; their answers are kept in the bundle."""
        ...


def use_case(name: str) -> UseCase:
    """Return the use case of that name."""
    found: UseCase = declared(name, "USE_CASE")
    return found
