"""Check rows against rules: the only place that runs Great Expectations.

It has engines for pandas, Spark and SQL, none for Dask. A rule over rows is a sum of counts, so each chunk is checked
where it lies, on a worker, and the counts are added up: exactly what one run over the whole table would say.
"""

from __future__ import annotations

import html
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa

from data_contracts.contract import ContractError

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations.core import (
        ExpectationSuite,
        ExpectationSuiteValidationResult,
        ExpectationValidationResult,
    )
    from great_expectations.expectations.expectation import Expectation

EXAMPLES = 20
"""Unexpected values kept of each rule, the first ones."""

_PAGE_STYLE = Path(__file__).parent / "page_style"


@dataclass(frozen=True)
class RuleCounts:
    """What one rule says about some rows. Where it is about single rows, counts of more rows are added with ``+``.

    Attributes:
        rule: Its name, for people.
        elements: Rows looked at.
        missing: Rows without a value; None for rules about missing values.
        unexpected: Rows that break it.
        examples: The first `EXAMPLES` unexpected values.
    """

    rule: str
    elements: int
    missing: int | None
    unexpected: int
    examples: tuple[Any, ...]

    def __add__(self, other: Self) -> Self:
        """Return the counts over both sets of rows."""
        if self.rule != other.rule:
            raise ValueError(f"counts of {self.rule!r} and of {other.rule!r} are no counts of one rule.")
        return type(self)(
            rule=self.rule,
            elements=self.elements + other.elements,
            missing=None if self.missing is None or other.missing is None else self.missing + other.missing,
            unexpected=self.unexpected + other.unexpected,
            examples=(self.examples + other.examples)[:EXAMPLES],
        )

    def result(self) -> dict[str, Any]:
        """Return what Great Expectations calls the result, percents computed from the counts."""
        result: dict[str, Any] = {"element_count": self.elements, "unexpected_count": self.unexpected}
        total = _percent(self.unexpected, self.elements)
        result["unexpected_percent"] = total
        result["partial_unexpected_list"] = list(self.examples)
        if self.missing is not None:
            among_given = _percent(self.unexpected, self.elements - self.missing)
            result["unexpected_percent"] = among_given
            result["missing_count"] = self.missing
            result["missing_percent"] = _percent(self.missing, self.elements)
            result["unexpected_percent_total"] = total
            result["unexpected_percent_nonmissing"] = among_given
        return result


@dataclass(frozen=True)
class Checked:
    """One chunk against its rules.

    Attributes:
        counts: Of each rule, in the order given.
        first_broken: int32, one a row: index of the first rule that the row breaks, -1 for none.
    """

    counts: tuple[RuleCounts, ...]
    first_broken: np.ndarray[Any, np.dtype[np.int32]]


def check(rows: pa.Table, rules: Sequence[Expectation]) -> Checked:
    """Check one chunk, about a million rows at most, with the pandas engine.

    Args:
        rows: Strings, numbers, times and booleans; text is shown to rules as ``string[pyarrow]``.
        rules: Rules that say of each row whether it breaks them, each named in ``meta["rule"]``; no ``mostly``.

    Raises:
        ContractError: A rule could not be computed, whatever the rows hold: nothing may be concluded from the others.
    """
    results = {_rule(result): result for result in _run(_frame(rows), rules).results}
    if len(results) != len(rules):
        raise ContractError(f"{len(rules)} rules have {len(results)} names: {sorted(results)}. Name each differently.")
    broken = [f"{name!r}: {message}" for name, result in results.items() if (message := _exception(result))]
    if broken:
        raise ContractError(
            f"{len(broken)} of {len(rules)} rules could not be computed on {rows.num_rows:,} rows:\n  - "
            + "\n  - ".join(broken)
        )
    names = [name_of(rule) for rule in rules]
    first_broken = np.full(rows.num_rows, -1, np.int32)
    for index in reversed(range(len(names))):
        first_broken[results[names[index]].result["unexpected_index_list"]] = index
    return Checked(tuple(_counts(name, results[name].result) for name in names), first_broken)


def name_of(rule: Expectation) -> str:
    """Return a rule's name, for people."""
    return str((rule.meta or {})["rule"])


def _rule(result: ExpectationValidationResult) -> str:
    config = result.expectation_config
    assert config is not None
    return str(config.meta["rule"])


def _percent(count: int, total: int) -> float | None:
    return count / total * 100 if total else None


def _frame(rows: pa.Table) -> pd.DataFrame:
    import pandas as pd

    frame: pd.DataFrame = rows.to_pandas(types_mapper={pa.string(): pd.StringDtype("pyarrow")}.get)
    return frame


def _suite(rules: Sequence[Expectation]) -> ExpectationSuite:
    from great_expectations.core import ExpectationSuite

    return ExpectationSuite(name="rules", expectations=list(rules))


def _run(frame: pd.DataFrame, rules: Sequence[Expectation]) -> ExpectationSuiteValidationResult:
    import great_expectations as gx
    from great_expectations.data_context.types import base

    base.logger.setLevel(logging.WARNING)  # of its own accord it reports a temporary folder for every chunk
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = base.ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("chunk").add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    return batch.validate(
        _suite(rules), result_format={"result_format": "COMPLETE", "partial_unexpected_count": EXAMPLES}
    )


def _exception(result: ExpectationValidationResult) -> str:
    """Return why a rule could not be computed; empty when it could. The library nests this by metric, or does not."""
    info: Mapping[str, Any] = result.exception_info or {}
    raised = [info] if "raised_exception" in info else list(info.values())
    return "; ".join(str(one["exception_message"]) for one in raised if one["raised_exception"])


def _counts(rule: str, result: Mapping[str, Any]) -> RuleCounts:
    return RuleCounts(
        rule=rule,
        elements=result["element_count"],
        missing=result.get("missing_count"),
        unexpected=result["unexpected_count"],
        examples=tuple(_plain(value) for value in result["partial_unexpected_list"]),
    )


def _plain(value: Any) -> Any:  # noqa: ANN401
    """Return a value that JSON knows."""
    import pandas as pd

    if pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    return value.item() if isinstance(value, np.generic) else value


def _shown(value: Any) -> Any:  # noqa: ANN401
    """Return a value that is safe inside a page: the library writes what it is given, and raw logs hold anything."""
    return html.escape(value) if isinstance(value, str) else value


def page(title: str, rules: Sequence[Expectation], counts: Sequence[RuleCounts], *, failed: Collection[str]) -> str:
    """Render the Data Docs page, HTML, of rules and their counts over a whole table.

    Args:
        title: What was checked.
        rules: The rules.
        counts: Of each of them, in the same order.
        failed: Names of the rules that more rows break than may; the others have passed, whatever their counts.
    """
    from great_expectations.core import ExpectationSuiteValidationResult, ExpectationValidationResult
    from great_expectations.render.renderer import ValidationResultsPageRenderer
    from great_expectations.render.view import DefaultJinjaPageView

    results = [
        ExpectationValidationResult(
            success=count.rule not in failed,
            expectation_config=rule.configuration,
            result={
                **replace(count, examples=tuple(_shown(value) for value in count.examples)).result(),
                "observed_value": f"broken by {count.unexpected:,} of {count.elements:,} rows",
            },
            exception_info={"raised_exception": False, "exception_traceback": None, "exception_message": None},
        )
        for rule, count in zip(rules, counts, strict=True)
    ]
    met = sum(count.rule not in failed for count in counts)
    merged = ExpectationSuiteValidationResult(
        success=met == len(counts),
        results=results,
        suite_name=title,
        statistics={
            "evaluated_expectations": len(counts),
            "successful_expectations": met,
            "unsuccessful_expectations": len(counts) - met,
            "success_percent": _percent(met, len(counts)),
        },
        meta={
            "run_id": {"run_name": title, "run_time": datetime.now(UTC).isoformat()},
            "great_expectations_version": version("great_expectations"),
        },
    )
    view = DefaultJinjaPageView(custom_styles_directory=str(_PAGE_STYLE))
    return str(view.render(ValidationResultsPageRenderer().render(merged)))
