"""Check rows against rules.

A rule over rows is a sum of counts, so each chunk is checked where it lies, on a worker, and the counts are added up:
exactly what one run over the whole table would say. Rules that `data_contracts.compiled` knows are computed by Polars,
all others by Great Expectations, and both say the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from data_contracts import compiled, expectations
from data_contracts.contract import ContractError
from data_contracts.counts import RuleCounts
from data_contracts.rules import Rule


@dataclass(frozen=True)
class Checked:
    """One chunk against its rules.

    Attributes:
        counts: Of each rule, in the order given.
        first_broken: int32, one a row: index of the first rule that the row breaks, -1 for none.
    """

    counts: tuple[RuleCounts, ...]
    first_broken: np.ndarray[Any, np.dtype[np.int32]]


def check(rows: pa.Table, rules: Sequence[Rule]) -> Checked:
    """Check one chunk, about a million rows at most.

    Args:
        rows: Strings, numbers, times and booleans.
        rules: Rules that say of each row whether it breaks them, each of another name; no ``mostly``.

    Raises:
        ContractError: A rule could not be computed, whatever the rows hold: nothing may be concluded from the others.
    """
    names = {rule.name for rule in rules}
    if len(names) != len(rules):
        raise ContractError(f"{len(rules)} rules have {len(names)} names: {sorted(names)}. Name each differently.")
    found = compiled.found(rows, rules)
    if unknown := [rule for rule in rules if rule.name not in found]:
        others, failed = expectations.found(rows, unknown)
        if failed:
            listed = "\n  - ".join(f"{name!r}: {why}" for name, why in failed.items())
            raise ContractError(
                f"{len(failed)} of {len(rules)} rules could not be computed on {rows.num_rows:,} rows:\n  - {listed}"
            )
        found |= others
    first_broken = np.full(rows.num_rows, -1, np.int32)
    for index in reversed(range(len(rules))):
        first_broken[found[rules[index].name].broken] = index
    return Checked(tuple(found[rule.name].counts for rule in rules), first_broken)
