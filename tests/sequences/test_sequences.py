"""Random sequences of {night, kill, repeat, late file, bad file}: in any order, no row is lost and none is doubled."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import cast

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from tests.sequences.nights import Nights


def run(cluster: str, folder: Path, how: settings) -> Counter[str]:
    """Run random sequences of nights, and return how often each end of a night was seen."""
    seen: Counter[str] = Counter()

    def machine() -> RuleBasedStateMachine:
        return Nights(cluster, folder, seen)

    run_state_machine_as_test(cast("type[RuleBasedStateMachine]", machine), settings=how)
    return seen


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_sequence_of_nights_loses_or_doubles_a_row(cluster: str, tmp_path: Path) -> None:
    """The same sequences in every run, not shrunk: `make drill` has others, and more of them."""
    few = settings(
        max_examples=12, stateful_step_count=12, deadline=None, derandomize=True, database=None, phases=[Phase.generate]
    )
    seen = run(cluster, tmp_path, few)
    assert {end.split()[0] for end in seen} == {"finished", "killed", "refused"}
