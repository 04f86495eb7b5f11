from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from data_contracts.job import RIVALS, TablesAt
from data_contracts.risk.measures import measured
from data_contracts.risk.parties import PARTIES
from data_contracts.risk.partners import Pairs
from data_contracts.risk.past import Past
from data_contracts.risk.requests import REASONS, REQUESTS
from data_contracts.risk.sums import PAIRS, PARTY_DAYS
from data_contracts.table import Table
from models.metrics import chance
from models.publish import write_bundle
from models.risk.bundle import PARTY_SUMS, example, golden_requests
from models.risk.evaluate import evaluate
from models.risk.predictor import RiskPredictor
from models.risk.rows import INPUTS, plain
from models.risk.scorers import open_scorer
from models.serving.tensors import to_outputs
from tests.models.risk.tables import DAYS, evaluate_job, publish_job
from tests.tasks.preprocess.risk.nights import day

ALONE = """
import sys
for name in ("pytorch_lightning", "great_expectations", "distributed", "prefect"):
    sys.modules[name] = None
from pathlib import Path
import pyarrow as pa
from models.use_case import use_case
predictor = use_case("risk").predictor(Path(sys.argv[1]))
print(predictor.predict(pa.table({"from_party": ["p0001"], "to_party": ["p0002"]})).to_pylist())
"""


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory, tables: TablesAt, weights: Path) -> dict[str, Path]:
    """One of each kind."""
    folder = tmp_path_factory.mktemp("bundles")
    evaluate(evaluate_job(folder, tables))
    checkpoints = {"network": weights, "boosting": folder / RIVALS / "boosting"}
    return {
        kind: write_bundle(publish_job(folder / kind, tables, str(checkpoint))).folder
        for kind, checkpoint in checkpoints.items()
    }


@pytest.fixture(params=["network", "boosting"])
def bundle(request: pytest.FixtureRequest, bundles: dict[str, Path]) -> Path:
    return bundles[request.param]


def ask(predictor: RiskPredictor, *requests: dict[str, object]) -> list[dict[str, object]]:
    return predictor.predict(pa.Table.from_pylist(list(requests), REQUESTS.schema)).to_pylist()


def test_an_answer_is_a_chance_and_why(bundle: Path, tables: TablesAt) -> None:
    told = example(publish_job(bundle, tables, ""))
    (answer,) = ask(RiskPredictor(bundle), told | {"amount": 120.0})
    assert 0 < answer["probability"] < 1
    assert len(answer["reasons"]) == len(answer["weights"]) == REASONS
    assert set(answer["reasons"]) <= set(plain(0))
    assert list(map(abs, answer["weights"])) == sorted(map(abs, answer["weights"]), reverse=True)


def test_who_is_unknown_is_answered_whatever_else_is_asked(bundle: Path) -> None:
    requests = golden_requests(bundle)
    predictor = RiskPredictor(bundle)
    together = ask(predictor, *requests)
    alone = [answer for request in requests for answer in ask(predictor, request)]
    chances = [[answer["probability"] for answer in answers] for answers in (together, alone)]
    np.testing.assert_allclose(chances[0], chances[1], rtol=1e-5)
    assert golden_requests(bundle) == requests
    assert ask(predictor) == []


def test_it_is_asked_as_of_the_day_after_the_newest_window(bundle: Path) -> None:
    days = pl.read_parquet(bundle / PARTY_SUMS)
    assert days["day"].max() == day(DAYS - 1)
    assert days.group_by("party", "part").len()["len"].max() <= 3


def test_answers_travel_as_tensors(bundle: Path) -> None:
    answers = RiskPredictor(bundle).predict(pa.table({"from_party": ["a", "p0001"], "to_party": ["b", "p0002"]}))
    shapes = {output.name: (output.datatype, output.values.shape) for output in to_outputs(answers)}
    assert shapes == {
        "probability": ("FP32", (2,)),
        "reasons": ("BYTES", (2, REASONS)),
        "weights": ("FP32", (2, REASONS)),
    }


def test_it_knows_of_both_parties_what_the_tables_do(bundle: Path, tables: TablesAt) -> None:
    """What is shipped is less than the tables, and says the same."""
    parties, days, pairs = (
        pl.DataFrame(Table(tables.folder, contract).read(tables.versions[contract.name]))
        for contract in (PARTIES, PARTY_DAYS, PAIRS)
    )
    first, second = parties.sort("number").head(200).select("party", "number").rows()[::140]
    numbers = {"from_number": [first[1]], "to_number": [second[1]]}
    asked = pl.DataFrame(numbers, schema_overrides=dict.fromkeys(numbers, pl.Int32))
    rows = asked.with_columns(day=pl.lit(day(DAYS)), amount=pl.lit(9.0))
    known = pl.concat([asked, measured(rows, Past(days), Pairs(pairs))], how="horizontal")
    inputs = known.select(pl.col(INPUTS).cast(pl.Float32)).to_numpy().astype(np.float32)
    (answer,) = ask(RiskPredictor(bundle), {"from_party": first[0], "to_party": second[0], "amount": 9.0})
    assert answer["probability"] == pytest.approx(chance(open_scorer(bundle).log_odds(inputs))[0], rel=1e-5)


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        pytest.param({"from_party": None, "to_party": "b"}, "request 1: from_party is missing", id="nobody"),
        pytest.param({"from_party": "a", "to_party": ""}, "request 1: to_party is missing", id="empty"),
        pytest.param({"from_party": "a", "to_party": "a"}, "both 'a', wanted two parties", id="oneself"),
        pytest.param(
            {"from_party": "a", "to_party": "b", "amount": float("inf")}, "amount is inf, wanted", id="infinite"
        ),
    ],
)
def test_a_wrong_request_is_told_what_was_wanted(
    bundles: dict[str, Path], request_: dict[str, object], problem: str
) -> None:
    sound = {"from_party": "a", "to_party": "b"}
    with pytest.raises(ValueError, match=problem):
        ask(RiskPredictor(bundles["boosting"]), sound, request_)


def test_what_is_no_number_is_no_amount(bundles: dict[str, Path]) -> None:
    """A tensor of numbers has no other way to say that there is none."""
    predictor, parties = RiskPredictor(bundles["boosting"]), {"from_party": "a", "to_party": "b"}
    one, other = ask(predictor, parties | {"amount": float("nan")}, parties)
    assert one == other


def test_columns_that_nobody_knows_are_named(bundles: dict[str, Path]) -> None:
    with pytest.raises(ValueError, match=r"columns \['colour'\]: unknown"):
        RiskPredictor(bundles["boosting"]).predict(pa.table({"colour": ["red"]}))


def test_it_answers_without_what_only_nights_need(bundle: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(bundle)], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "probability" in done.stdout
