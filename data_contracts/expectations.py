"""Great Expectations: its page for people, and its pandas engine for rules that nothing else knows.

The only place that imports it, and not before it must: that takes seconds of a processor.
"""

from __future__ import annotations

import html
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from data_contracts.contract import ContractError
from data_contracts.counts import EXAMPLES, Found, Observed, RuleCounts, percent, plain
from data_contracts.rules import Rule

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations.core import ExpectationSuiteValidationResult, ExpectationValidationResult
    from great_expectations.expectations.expectation import Expectation

_PAGE_STYLE = Path(__file__).parent / "page_style"


def found(rows: pa.Table, rules: Sequence[Rule]) -> tuple[dict[str, Found], dict[str, str]]:
    """Compute rules, and return what each finds, by name; and of those that could not be computed, why.

    Args:
        rows: Strings, numbers, times and booleans; text is shown to rules as ``string[pyarrow]``.
        rules: Each of another name.

    Raises:
        ContractError: Great Expectations has no such rule.
    """
    all_found: dict[str, Found] = {}
    failed: dict[str, str] = {}
    for result in _run(_frame(rows), rules).results:
        name = _name(result)
        if why := _exception(result):
            failed[name] = why
        else:
            broken = np.array(result.result["unexpected_index_list"], np.int64)
            all_found[name] = Found(_counts(name, result.result), broken)
    return all_found, failed


def page(
    title: str,
    rules: Sequence[Rule],
    counts: Sequence[RuleCounts],
    observed: Sequence[Observed] = (),
    *,
    failed: Collection[str],
) -> str:
    """Render the Data Docs page, HTML, of rules and their counts over a whole table.

    Args:
        title: What was checked.
        rules: Rules about single rows.
        counts: Of each of them, in the same order.
        observed: What rules about all rows together say; one that is not met and not in ``failed`` was only warned of.
        failed: Names of the rules for which the night stops. Those about rows that are not in it have passed, whatever
            their counts.
    """
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.render.renderer import ValidationResultsPageRenderer
    from great_expectations.render.view import DefaultJinjaPageView

    results = [
        *(_result(rule, count, success=count.rule not in failed) for rule, count in zip(rules, counts, strict=True)),
        *(_said(each.rule, {"observed_value": each.seen}, success=each.met) for each in observed),
    ]
    met = sum(bool(result.success) for result in results)
    merged = ExpectationSuiteValidationResult(
        success=not failed,
        results=results,
        suite_name=title,
        statistics={
            "evaluated_expectations": len(results),
            "successful_expectations": met,
            "unsuccessful_expectations": len(results) - met,
            "success_percent": percent(met, len(results)),
        },
        meta={
            "run_id": {"run_name": title, "run_time": datetime.now(UTC).isoformat()},
            "great_expectations_version": version("great_expectations"),
        },
    )
    view = DefaultJinjaPageView(custom_styles_directory=str(_PAGE_STYLE))
    return str(view.render(ValidationResultsPageRenderer().render(merged)))


def _result(rule: Rule, count: RuleCounts, *, success: bool) -> ExpectationValidationResult:
    counted = replace(count, examples=tuple(_shown(value) for value in count.examples)).result()
    observed = f"broken by {count.unexpected:,} of {count.elements:,} rows"
    return _said(rule, {**counted, "observed_value": observed}, success=success)


def _said(rule: Rule, result: dict[str, Any], *, success: bool) -> ExpectationValidationResult:
    from great_expectations.core import ExpectationValidationResult

    return ExpectationValidationResult(
        success=success,
        expectation_config=_expectation(rule).configuration,
        result=result,
        exception_info={"raised_exception": False, "exception_traceback": None, "exception_message": None},
    )


def _shown(value: Any) -> Any:  # noqa: ANN401
    """Return a value that is safe inside a page: the library writes what it is given, and raw logs hold anything."""
    return html.escape(value) if isinstance(value, str) else value


def _expectation(rule: Rule) -> Expectation:
    from great_expectations import expectations

    kind: type[Expectation] | None = getattr(expectations, rule.expectation, None) or _own().get(rule.expectation)
    if kind is None:
        raise ContractError(f"rule {rule.name!r} is a {rule.expectation!r}, which Great Expectations does not have.")
    return kind.parse_obj({**rule.arguments, "meta": {"rule": rule.name}})


@cache
def _own() -> dict[str, Any]:
    """Return what the library does not have, to be rendered as its own are: by the name of its class."""
    from great_expectations.expectations.expectation import ColumnAggregateExpectation
    from great_expectations.render import LegacyRendererType, RenderedStringTemplateContent
    from great_expectations.render.renderer.renderer import renderer

    class ExpectColumnTotalVariationToBeLessThan(ColumnAggregateExpectation):
        """The share of the rows that would have to have another value for the column's mix to be as before."""

        threshold: float

        @classmethod
        @renderer(renderer_type=LegacyRendererType.PRESCRIPTIVE)
        def _prescriptive_renderer(
            cls,
            configuration: Any = None,  # noqa: ANN401
            result: Any = None,  # noqa: ANN401
            runtime_configuration: Any = None,  # noqa: ANN401, ARG003
        ) -> list[Any]:
            asked = (configuration or result.expectation_config).kwargs
            text = "total variation to the mix of the nights before must be at most $threshold, and what chance makes."
            template = {"template": text, "params": {"threshold": asked["threshold"]}}
            return [RenderedStringTemplateContent(content_block_type="string_template", string_template=template)]

        def _validate(self, *_: object, **__: object) -> dict[str, Any]:
            raise NotImplementedError("it is rendered, and computed by nobody here.")

    own = ExpectColumnTotalVariationToBeLessThan
    return {own.__name__: own}


def _run(frame: pd.DataFrame, rules: Sequence[Rule]) -> ExpectationSuiteValidationResult:
    import great_expectations as gx
    from great_expectations.core import ExpectationSuite
    from great_expectations.data_context.types import base

    base.logger.setLevel(logging.WARNING)  # of its own accord it reports a temporary folder for every chunk
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = base.ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("chunk").add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    return batch.validate(
        ExpectationSuite(name="rules", expectations=[_expectation(rule) for rule in rules]),
        result_format={"result_format": "COMPLETE", "partial_unexpected_count": EXAMPLES},
    )


def _frame(rows: pa.Table) -> pd.DataFrame:
    import pandas as pd

    frame: pd.DataFrame = rows.to_pandas(types_mapper={pa.string(): pd.StringDtype("pyarrow")}.get)
    return frame


def _name(result: ExpectationValidationResult) -> str:
    config = result.expectation_config
    assert config is not None
    return str(config.meta["rule"])


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
        examples=tuple(plain(value) for value in result["partial_unexpected_list"]),
    )
