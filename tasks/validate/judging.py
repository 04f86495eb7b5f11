"""All rows of a night together, measured against their bounds. A rule is broken where that is sure, and not before.

A sketch knows about how many values there are, and of few rows a mix is what chance makes it: within that no bound is
broken. Values are named where the settings name them (`validation.allowed`), and nowhere else: they may be ids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
import pyarrow as pa

from data_contracts.contract import DataContract
from data_contracts.counts import Observed
from data_contracts.rules import Rule, distinct_between, mix_as_before, quantiles_between
from tasks.validate.aggregates import Aggregates
from tasks.validate.mix import Mix
from tasks.validate.remembered import NIGHTS_COMPARED
from tasks.validate.sketches import Estimate
from tasks.validate.table_rules import Bounds, TableRuleKind, TableRules

LEAST_NIGHTS = 3
"""Nights before whose mix must be remembered for drift to be judged. A night stops for it from `NIGHTS_COMPARED` on."""
_NAMED = 3
"""Values at most whose shares are said, those that moved most."""


@dataclass(frozen=True)
class Judged:
    """What one rule says about a night's rows.

    Attributes:
        kind: By the name of its setting.
        said: What was looked at, seen and wanted, for people.
        broken: Whether that is not as wanted, surely.
        may_stop: Whether enough is known to stop a night for it.
        rule: In the words of Great Expectations; None for the volume, which has no such words.
        observed: As Great Expectations has it in a result.
    """

    kind: TableRuleKind
    said: str
    broken: bool
    may_stop: bool = True
    rule: Rule | None = None
    observed: object = None

    def shown(self) -> Iterator[Observed]:
        """Yield it for the page, if it is there."""
        if self.rule is not None:
            yield Observed(self.rule, self.observed, not self.broken)


def judge(
    aggregates: Aggregates,
    rules: TableRules,
    contract: DataContract,
    before: Mapping[str, Sequence[Mix]],
    allowed: Mapping[str, Sequence[str]],
) -> list[Judged]:
    """Measure a night's rows against the rules of their table.

    Args:
        aggregates: Of all rows accepted, at least one.
        rules: What they must be.
        contract: Of their table.
        before: Column to its mixes of the nights before, `tasks.validate.remembered.mixes_before`.
        allowed: Column to the values that may be named.
    """
    return [
        *(_distinct(name, bounds, aggregates) for name, bounds in rules.distinct.items()),
        *(_quantiles(name, asked, aggregates, contract) for name, asked in rules.quantiles.items()),
        *(
            _drift(name, limit, aggregates.mixes[name], before[name], allowed.get(name, ()))
            for name, limit in rules.drift.items()
        ),
    ]


def _distinct(name: str, bounds: Bounds, aggregates: Aggregates) -> Judged:
    seen = aggregates.distinct[name].estimate()
    is_exact = seen.low == seen.high
    count = f"{seen.seen:,.0f}" if is_exact else f"about {seen.seen:,.0f} ({seen.low:,.0f} to {seen.high:,.0f})"
    return Judged(
        "distinct",
        f"distinct values of {name!r}: {count}, wanted {_wanted(bounds)}",
        _breaks(seen, bounds),
        rule=distinct_between(name, bounds.at_least, bounds.at_most),
        observed=int(seen.seen),
    )


def _quantiles(name: str, asked: Mapping[float, Bounds], aggregates: Aggregates, contract: DataContract) -> Judged:
    """Judge quantiles; where there is no number at all, every bound is broken, as Great Expectations has it.

    A bound of a column of float32 is the float32 nearest to it: no value could be 0.1 otherwise.
    """
    is_single = contract.schema.field(name).type == pa.float32()
    exact: Callable[[float], float] = (lambda bound: float(np.float32(bound))) if is_single else float
    seen = {quantile: aggregates.quantiles[name].at(quantile) for quantile in sorted(asked)}
    broken = [at is None or _breaks(at, asked[quantile], exact) for quantile, at in seen.items()]
    said = [
        f"{quantile:g} is {'not there' if at is None else _number(at.seen)}, wanted {_wanted(asked[quantile])}"
        for quantile, at in seen.items()
    ]
    ranges = {quantile: (asked[quantile].at_least, asked[quantile].at_most) for quantile in seen}
    values = ["no number" if at is None else at.seen for at in seen.values()]
    return Judged(
        "quantiles",
        f"quantiles of {name!r}: {'; '.join(said)}",
        any(broken),
        rule=quantiles_between(name, ranges),
        observed={"quantiles": list(seen), "values": values},
    )


def _drift(name: str, limit: float, tonight: Mix, before: Sequence[Mix], allowed: Iterable[str]) -> Judged:
    rule, nights = mix_as_before(name, limit), len(before)
    if nights < LEAST_NIGHTS:
        seen = f"not judged, {nights} of the nights before have its mix and {LEAST_NIGHTS} are needed"
        return Judged("drift", f"drift of {name!r}: {seen}", broken=False, may_stop=False, rule=rule, observed=seen)
    mix = reduce(add, before)
    distance, chance = tonight.apart(mix)
    seen = f"{_share(distance)} of the rows are of other values than in {nights} nights before"
    moved = "".join(f"; {each}" for each in _moved(tonight, mix, allowed))
    return Judged(
        "drift",
        f"drift of {name!r}: {seen}, wanted at most {_share(limit)} and what chance makes, {_share(chance)}{moved}",
        distance - chance > limit,
        may_stop=nights == NIGHTS_COMPARED,
        rule=rule,
        observed=f"{distance:.3f}, of which chance may make {chance:.3f}, beside {nights} nights before",
    )


def _moved(tonight: Mix, before: Mix, allowed: Iterable[str]) -> Iterator[str]:
    """Yield the values that may be named, and whose share moved most."""
    shares = [("without a value", tonight.missing / tonight.rows, before.missing / before.rows)]
    for value in allowed:
        now, then = tonight.share_of(value), before.share_of(value)
        if now is not None and then is not None:
            shares.append((repr(value), now, then))
    shares.sort(key=lambda each: -abs(each[1] - each[2]))
    for value, now, then in shares[:_NAMED]:
        if now != then:
            yield f"{value} {_share(now)}, before {_share(then)}"


def _breaks(seen: Estimate, bounds: Bounds, exact: Callable[[float], float] = float) -> bool:
    low, high = bounds.at_least, bounds.at_most
    return (low is not None and seen.high < exact(low)) or (high is not None and seen.low > exact(high))


def _wanted(bounds: Bounds) -> str:
    low, high = bounds.at_least, bounds.at_most
    said = [f"at least {_number(low)}"] if low is not None else []
    said += [f"at most {_number(high)}"] if high is not None else []
    return " and ".join(said)


def _number(number: float) -> str:
    return f"{number:,.0f}" if float(number).is_integer() and abs(number) < 1e15 else f"{number:,.6g}"  # noqa: PLR2004


def _share(share: float) -> str:
    return f"{100 * share:.1f} %"
