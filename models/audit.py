"""What a ledger says: whether every example was seen exactly once in every epoch, whatever was lost meanwhile.

Of steps that were done again after a loss those count that the last start before them did not do again; where lines are
of whole steps, each step counts once, as it is learned once. Digests say with all but certainty which examples were
seen.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Metric

from models.ledger import WHOLE, digest, starts_in

MODULUS = 1 << 64
AUDIT = "ledger.json"
"""Artifact of the run: the audit, epoch by epoch."""


class LedgerError(Exception):
    """An epoch saw an example more or less than once; the message lists every such epoch."""


@dataclass
class Step:
    """What all processes together saw in a step.

    Attributes:
        epoch: From 0.
        examples: How many.
        digest: Their sum, modulo 2^64.
        loss: Mean over the global batch.
    """

    epoch: int
    examples: int = 0
    digest: int = 0
    loss: float = 0.0


@dataclass
class Account:
    """What a ledger says.

    Attributes:
        steps: Those that counted, by number.
        repeated: How many were done again after a loss.
        starts: How often the training started.
    """

    steps: dict[int, Step] = field(default_factory=dict)
    repeated: int = 0
    starts: int = 0


@dataclass(frozen=True)
class Epoch:
    """What an epoch saw.

    Attributes:
        epoch: From 0.
        steps: How many counted.
        examples: How many they saw.
        once: Whether each example exactly once.
    """

    epoch: int
    steps: int
    examples: int
    once: bool


def account(folder: Path) -> Account:
    """Read a ledger; a line that a kill cut short is left out."""
    starts = starts_in(folder)
    found = Account(starts=len(starts))
    first_of_later = None
    for start in sorted(starts, reverse=True):
        seen: set[int] = set()
        for path in starts[start]:
            is_whole = path.stem.endswith(WHOLE)
            for epoch, step, examples, digested, loss in _lines(path):
                if is_whole and step in found.steps:  # whoever did it again, it was learned once
                    seen.add(step)
                    continue
                if not is_whole and first_of_later is not None and step >= first_of_later:
                    seen.add(step)
                    continue
                entry = found.steps.setdefault(step, Step(epoch))
                entry.examples += examples
                entry.digest = (entry.digest + digested) % MODULUS
                entry.loss += loss
        found.repeated += len(seen)
        first = int(starts[start][0].name.split("-")[1])
        first_of_later = first if first_of_later is None else min(first, first_of_later)
    return found


def epochs(account: Account, examples: int) -> list[Epoch]:
    """Return what every epoch saw, of so many examples that it was to see."""
    wanted = digest(np.arange(examples))
    by_epoch: dict[int, list[Step]] = defaultdict(list)
    for step in account.steps.values():
        by_epoch[step.epoch].append(step)
    found = []
    for epoch in range(max(by_epoch, default=0) + 1):
        steps = by_epoch[epoch]
        seen = sum(step.examples for step in steps)
        digested = sum(step.digest for step in steps) % MODULUS
        found.append(Epoch(epoch, len(steps), seen, once=(seen, digested) == (examples, wanted)))
    return found


def audit(account: Account, examples: int) -> None:
    """Check that every epoch saw each of ``examples`` exactly once.

    Raises:
        LedgerError: One did not.
    """
    problems = [
        f"epoch {each.epoch}: {each.examples:,} seen, wanted {examples:,}"
        if each.examples != examples
        else f"epoch {each.epoch}: as many as there are, but some twice and others never"
        for each in epochs(account, examples)
        if not each.once
    ]
    if problems:
        raise LedgerError(
            "examples were not seen exactly once:\n  - "
            + "\n  - ".join(problems)
            + "\nThe model is not published. This is a fault of Nightshift or of the disk: please report it."
        )


def log_audit(account: Account, examples: int, *, tracking_uri: str, run_id: str) -> None:
    """Keep on the MLflow run what its ledger says, as metrics ``ledger/*`` and the artifact `AUDIT`; again is the same.

    Raises:
        mlflow.exceptions.MlflowException: MLflow does not answer.
    """
    totals = {
        "examples": examples,
        "starts": account.starts,
        "steps": len(account.steps),
        "repeated": account.repeated,
        "epochs_seen_once": sum(each.once for each in epochs(account, examples)),
    }
    client, now = MlflowClient(tracking_uri=tracking_uri), int(time.time() * 1000)
    client.log_batch(run_id, [Metric(f"ledger/{name}", value, now, 0) for name, value in totals.items()])
    client.log_dict(run_id, {**totals, "epochs": [asdict(each) for each in epochs(account, examples)]}, AUDIT)


def _lines(path: Path) -> list[tuple[int, int, int, int, float]]:
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            found.append(tuple(json.loads(line)))
        except ValueError:
            continue
    return found
