from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from models.audit import LedgerError, account, audit
from models.ledger import digest

EXAMPLES = 8


def write(folder: Path, start: int, rank: int, steps: Sequence[tuple[int, int, Sequence[int]]]) -> Path:
    """Write what a process saw in a start: epoch, step and examples of each."""
    path = folder / f"{start}-{steps[0][1]}-{rank}.jsonl"
    lines = [json.dumps([epoch, step, len(rows), digest(np.array(rows)), 0.5]) for epoch, step, rows in steps]
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def test_of_steps_that_were_done_again_the_later_start_counts_however_many_processes_it_had(tmp_path: Path) -> None:
    write(tmp_path, 2, 0, [(0, 1, [4, 5, 6, 7]), (1, 2, [0, 2, 4, 6]), (1, 3, [1, 3, 5, 7])])
    write(tmp_path, 1, 0, [(0, 0, [0, 1]), (0, 1, [4, 5]), (1, 2, [0, 1])])
    write(tmp_path, 1, 1, [(0, 0, [2, 3]), (0, 1, [6, 7])])
    found = account(tmp_path)
    assert (sorted(found.steps), found.starts, found.repeated) == ([0, 1, 2, 3], 2, 2)
    assert [found.steps[step].examples for step in range(4)] == [4, 4, 4, 4]
    assert [found.steps[step].loss for step in range(4)] == [1, 0.5, 0.5, 0.5]
    audit(found, EXAMPLES)


def test_a_start_that_never_came_to_a_step_takes_nothing_away(tmp_path: Path) -> None:
    write(tmp_path, 1, 0, [(0, 0, range(4)), (0, 1, range(4, 8))])
    (tmp_path / "2-2-0.jsonl").touch()
    audit(account(tmp_path), EXAMPLES)


def test_a_line_cut_short_by_a_kill_is_left_out(tmp_path: Path) -> None:
    path = write(tmp_path, 1, 0, [(0, 0, range(4)), (0, 1, range(4, 8))])
    path.write_text(path.read_text()[:-9])
    assert sorted(account(tmp_path).steps) == [0]


def test_every_epoch_that_saw_something_else_is_named(tmp_path: Path) -> None:
    write(tmp_path, 1, 0, [(0, 0, range(7)), (1, 1, [0, 0, 2, 3, 4, 5, 6, 7]), (2, 2, range(8))])
    with pytest.raises(LedgerError) as refused:
        audit(account(tmp_path), EXAMPLES)
    assert str(refused.value).splitlines()[1:3] == [
        "  - epoch 0: 7 seen, wanted 8",
        "  - epoch 1: as many as there are, but some twice and others never",
    ]
