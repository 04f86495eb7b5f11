"""What is trained in every way of splitting, and how far one way is from one process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import JsonValue
from safetensors.torch import load_file

from benchmarks.subjects import RECOMMENDER, SIZES, STEPS_OF_EPOCH, Subject
from data_contracts.job import LEDGER, FitJob, FitResult
from data_contracts.parallelism import ParallelismConfig
from models.audit import account


@dataclass(frozen=True)
class Setting:
    """What is trained in every way.

    Attributes:
        precision: Of weights and sums.
        objective: What is minimised.
        loss: How far each step's loss may be from that of one process.
        weights: How far the last weights may be, norm of the difference over the norm; None where it says nothing:
            in float32, Adam takes the sign of what is all rounding for a number.
        epochs: How long.
        subject: The use case, and its tables.
    """

    precision: str
    objective: str
    loss: float
    weights: float | None
    epochs: int = SIZES.epochs
    subject: Subject = RECOMMENDER

    def refuses(self, way: ParallelismConfig) -> bool:
        """Say whether it cannot be trained so."""
        if way.rows != "local" and self.objective == "full_softmax":  # it reads all rows
            return True
        if way.rows != "local" and not self.subject.has_rows and not way.serves_layers:
            return True
        return way.strategy == "pipeline" and way.schedule in self.subject.refused

    @property
    def steps(self) -> int:
        """How many make up all epochs."""
        return self.epochs * STEPS_OF_EPOCH

    def config(self) -> dict[str, JsonValue]:
        """Return the `model` settings."""
        return {
            **self.subject.model(self.objective),
            "fit": {
                "batch_size": SIZES.batch,
                "max_epochs": self.epochs,
                "warm_up_steps": 5,
                "precision": self.precision,
            },
        }


@dataclass(frozen=True)
class Compared:
    """How far a way of splitting is from one process.

    Attributes:
        way: Of splitting.
        setting: What was trained.
        loss: Largest difference of a step's loss.
        weights: Norm of the difference of all last weights, over their norm.
    """

    way: ParallelismConfig
    setting: Setting
    loss: float
    weights: float

    @property
    def equal(self) -> bool:
        """Whether that is as near as it must be."""
        return self.loss <= self.setting.loss and (self.setting.weights is None or self.weights <= self.setting.weights)

    def row(self) -> dict[str, Any]:
        """Return the line of the table."""
        pipeline = self.way.strategy == "pipeline"
        return {
            "strategy": self.way.strategy,
            "world": self.way.worlds[0],
            "stages": self.way.pipeline_stages if pipeline else "",
            "replicas": self.way.replicas if pipeline else "",
            "schedule": self.way.schedule if pipeline else "",
            "rows": "served, and layers" if self.way.serves_layers else self.way.rows,
            "use case": self.setting.subject.name,
            "precision": self.setting.precision,
            "objective": self.setting.objective,
            "loss": f"{self.loss:.1e}",
            "weights": f"{self.weights:.1e}",
            "equal": "yes" if self.equal else "**no**",
        }


def compared(reference: FitJob, job: FitJob, setting: Setting) -> Compared:
    """Compare a training with one in one process.

    Raises:
        ValueError: They have not as many steps as the setting.
    """
    loss, wanted = _losses(job), _losses(reference)
    if {len(loss), len(wanted)} != {setting.steps}:
        raise ValueError(
            f"{job.run_folder}: {len(loss)} steps, one process {len(wanted)}, wanted {setting.steps} in both."
        )
    weights, whole = _weights(job), _weights(reference)
    return Compared(
        job.parallelism, setting, float((loss - wanted).abs().max()), float((weights - whole).norm() / whole.norm())
    )


def _losses(job: FitJob) -> torch.Tensor:
    steps = account(Path(job.run_folder) / LEDGER).steps
    return torch.tensor([steps[number].loss for number in sorted(steps)], dtype=torch.float64)


def _weights(job: FitJob) -> torch.Tensor:
    result = FitResult.model_validate_json((Path(job.run_folder) / "result.json").read_text(encoding="utf-8"))
    tensors: dict[str, list[torch.Tensor]] = {}
    for file in sorted(Path(result.checkpoint).glob("*.safetensors")):  # rows may be in several, in order
        for name, tensor in load_file(file).items():
            tensors.setdefault(name, []).append(tensor.double().flatten())
    return torch.cat([part for name in sorted(tensors) for part in tensors[name]])


def table(found: Sequence[Compared]) -> str:
    """Return it in Markdown."""
    rows = [each.row() for each in found]
    lines = [list(rows[0]), ["---"] * len(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
