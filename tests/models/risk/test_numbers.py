"""Transactions have numbers of their own, as well as parties: what is bad follows from the first of them alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
import torch

from data_contracts.job import RIVALS, TablesAt
from data_contracts.risk.requests import REQUESTS
from models.metrics import chance
from models.publish import write_bundle
from models.risk.bundle import example, golden_requests
from models.risk.evaluate import evaluate
from models.risk.module import RiskModule
from models.risk.predictor import RiskPredictor
from models.risk.rows import INPUTS, own_numbers, plain, read
from models.risk.scorers import open_scorer
from models.risk.weights import load, save
from models.weights import WeightsError
from tests.models.risk.tables import CONFIG, JUDGED, KNOWN, evaluate_job, fit_job, publish_job, write_tables

SOUND = {"from_party": "a", "to_party": "b"}


def _with_numbers(deals: pl.DataFrame) -> pl.DataFrame:
    """Give each a number that tells a bad one, and two that are often unknown and say nothing."""
    chance = np.random.default_rng(0)
    telling = deals["label"].fill_null(0).to_numpy() + chance.normal(0, 0.3, deals.height)
    idle = chance.lognormal(8, 2, (deals.height, 2))
    idle[chance.random(idle.shape) < 0.3] = np.nan
    lists = pl.Series(np.column_stack([telling, idle]).tolist(), dtype=pl.List(pl.Float32))
    return deals.with_columns(numbers=lists.list.eval(pl.element().fill_nan(None)))


@pytest.fixture(scope="module")
def numbered(tmp_path_factory: pytest.TempPathFactory) -> TablesAt:
    return write_tables(tmp_path_factory.mktemp("numbered"), _with_numbers)


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory, numbered: TablesAt, weights: Path) -> Path:
    """The folder of a judging, in which a network of before took part; the rival lies there."""
    folder = tmp_path_factory.mktemp("judging")
    found = evaluate(evaluate_job(folder, numbered, candidate=str(weights)))
    assert (
        min(found.metrics[name]["auc"] for name in ("boosting", "logistic")) > 0.97 > found.metrics["candidate"]["auc"]
    )
    return folder / RIVALS / "boosting"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, numbered: TablesAt, trees: Path) -> Path:
    return write_bundle(publish_job(tmp_path_factory.mktemp("bundle"), numbered, str(trees))).folder


def test_inputs_end_with_own_numbers_and_what_is_unknown_is_no_number(numbered: TablesAt) -> None:
    assert own_numbers(numbered) == 3
    inputs = read(numbered, KNOWN).inputs
    assert inputs.shape[1] == len(INPUTS) + 3 == len(plain(3))
    assert np.isfinite(inputs[:, :-2]).all()
    assert 0.2 < np.isnan(inputs[:, -2:]).mean() < 0.4
    assert np.nanmax(inputs[:, -3:]) < 20, "large numbers are squashed"


def test_a_network_takes_what_is_unknown_for_usual_and_knows_that_it_is(numbered: TablesAt, tmp_path: Path) -> None:
    module = RiskModule.of(fit_job(tmp_path, numbered, CONFIG))
    first, rows = module.network.first, read(numbered, KNOWN).labelled()
    own = rows.inputs[:, -3:].astype(np.float64)
    np.testing.assert_allclose(first.mean_F[-3:].numpy(), np.nanmean(own, axis=0), atol=0.05)
    unknown, usual = torch.zeros(1, len(INPUTS) + 3), torch.zeros(1, len(INPUTS) + 3)
    usual[0, -3:], unknown[0, -3:] = first.mean_F[-3:], torch.nan
    with torch.no_grad():
        difference = first(unknown)[0, 0] - first(usual)[0, 0]
    assert difference.item() == pytest.approx(first.wide.weight[0, -2:].sum().item(), abs=1e-5)
    assert first.wide.weight[0, -3] == 0, "the first number was never unknown: that it is says nothing"
    save(module.network, module.config, tmp_path / "saved")
    assert load(tmp_path / "saved").first.numbers == 3


def test_a_network_of_before_there_were_numbers_is_no_start(numbered: TablesAt, weights: Path, tmp_path: Path) -> None:
    job = fit_job(tmp_path, numbered, CONFIG).model_copy(update={"warm_start": str(weights)})
    with pytest.raises(WeightsError, match=r"first.wide.weight: (.|\n)*train.warm_start: false"):
        RiskModule.of(job)


def test_requests_have_numbers_too_and_answers_name_them(bundle: Path, numbered: TablesAt) -> None:
    predictor, telling = RiskPredictor(bundle), "number 1 of its own"

    def ask(*requests: dict[str, object]) -> list[dict[str, object]]:
        return predictor.predict(pa.Table.from_pylist(list(requests), REQUESTS.schema)).to_pylist()

    bad, good, unknown, none = ask(
        *(SOUND | {"numbers": each} for each in ([1.2, 9, None], [-0.2, 9, None], [np.nan] * 3, None))
    )
    assert bad["probability"] > 2 * good["probability"]
    assert telling in bad["reasons"]
    assert unknown == none
    known = read(numbered, (JUDGED,)).inputs[:5]
    assert len(chance(open_scorer(bundle).log_odds(known))) == 5
    assert len(ask(*golden_requests(bundle))) == len(golden_requests(bundle))
    assert sum("numbers" in request for request in golden_requests(bundle)) > 2
    assert len(ask(example(publish_job(bundle, numbered, "")))) == 1


@pytest.mark.parametrize(
    ("numbers", "problem"),
    [
        pytest.param([1.0], "request 0: numbers are 1, wanted 3 or none", id="too few"),
        pytest.param(
            [1.0, float("inf"), 0.0], r"request 0: numbers are \[1.0, inf, 0.0\], wanted finite", id="infinite"
        ),
    ],
)
def test_wrong_numbers_are_told_what_was_wanted(bundle: Path, numbers: list[float], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        RiskPredictor(bundle).predict(pa.Table.from_pylist([SOUND | {"numbers": numbers}], REQUESTS.schema))
