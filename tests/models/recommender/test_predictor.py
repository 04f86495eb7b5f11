from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from data_contracts.recommender.requests import MAX_K, REQUESTS
from models.publish import write_bundle
from models.recommender import reading
from models.recommender.asked import read_requests
from models.recommender.histories import Histories
from models.recommender.network import inputs_of
from models.recommender.predictor import RecommenderPredictor
from models.recommender.weights import load
from models.rows import ranking
from tests.models.recommender.scored import scores as scores_of
from tests.models.serving.tiny_shop import item, publish_job, write_tables, write_weights

Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(publish_job(tmp_path_factory.mktemp("shop"))).folder


@pytest.fixture(scope="module")
def ask(bundle: Path) -> Ask:
    predictor = RecommenderPredictor(bundle)

    def ask_one(**request: object) -> dict[str, Any]:
        answer: dict[str, Any] = predictor.predict(pa.Table.from_pylist([request], schema=REQUESTS.schema)).to_pylist()[
            0
        ]
        return answer

    return ask_one


def test_a_history_is_answered_by_the_network_best_first_and_without_what_was_seen(ask: Ask, bundle: Path) -> None:
    answer = ask(history=[item(1), item(2)], k=3)
    scores = scores_of(load(bundle).network, inputs_of(torch.tensor([[1, 2]])))[0].tolist()
    wanted = sorted(range(3, 10), key=lambda number: -scores[number])[:3]
    assert answer["item_id"] == [item(number) for number in wanted]
    assert answer["score"] == pytest.approx([scores[number] for number in wanted], abs=1e-5)
    assert answer["source"] == "history"


def test_a_user_is_answered_from_the_newest_history(ask: Ask) -> None:
    by_user, by_history = ask(user_id="ada", k=4), ask(history=[item(1), item(2), item(3)], k=4)
    assert by_user["source"] == "history"
    assert by_user["item_id"] == by_history["item_id"]
    assert by_user["score"] == pytest.approx(by_history["score"], abs=1e-5)


def test_everything_the_user_ever_saw_is_left_out_and_new_items_are_skipped(ask: Ask) -> None:
    answer = ask(user_id="bob", k=10)
    assert not {item(4), item(5), item(6), item(11)} & set(answer["item_id"])
    assert answer["source"] == "history: 1 unknown items skipped"


def test_a_repeat_customer_gets_seen_items_again_when_they_are_not_excluded(tmp_path: Path) -> None:
    job = publish_job(tmp_path)
    write_weights(Path(job.checkpoint), exclude_seen=False)
    predictor = RecommenderPredictor(write_bundle(job).folder)
    answers = predictor.predict(pa.Table.from_pylist([{"user_id": "ada", "k": 10}], schema=REQUESTS.schema))
    assert {item(1), item(2), item(3)} <= set(answers["item_id"][0].as_py())


@pytest.mark.parametrize(
    ("request_", "source"),
    [
        pytest.param({"user_id": "nobody"}, "popular: unknown user", id="unknown user"),
        pytest.param({"user_id": "new"}, "popular: none of 2 items known", id="a user of new items only"),
        pytest.param({"history": []}, "popular: empty history", id="empty history"),
        pytest.param({"history": ["?", item(11)]}, "popular: none of 2 items known", id="unknown items only"),
    ],
)
def test_popular_items_are_the_answer_where_nothing_is_known_and_it_says_so(
    ask: Ask, request_: dict[str, object], source: str
) -> None:
    answer = ask(**request_, k=3)
    assert answer == {"item_id": [item(1), item(2), item(3)], "score": [19.0, 18.0, 17.0], "source": source}


def test_items_too_rare_to_be_learned_are_neither_recommended_nor_read(ask: Ask) -> None:
    rare = item(10)
    assert rare not in ask(user_id="nobody", k=20)["item_id"] + ask(user_id="ada", k=20)["item_id"]
    assert ask(history=[item(1), rare])["source"] == "history: 1 unknown items skipped"


def test_ten_items_are_the_answer_when_k_is_left_out_or_fewer_where_there_are_fewer(ask: Ask) -> None:
    assert len(ask(user_id="nobody")["item_id"]) == 9
    assert len(ask(user_id="ada")["item_id"]) == 6


def test_only_the_last_items_that_the_network_reads_matter(ask: Ask) -> None:
    long, short = [item(9), *map(item, (1, 2, 3, 4, 5))], list(map(item, (1, 2, 3, 4, 5)))
    scores = dict(zip(ask(history=short, k=9)["item_id"], ask(history=short, k=9)["score"], strict=True))
    answer = ask(history=long, k=9)
    assert answer["score"] == pytest.approx([scores[item_id] for item_id in answer["item_id"]], abs=1e-5)


def test_a_batch_is_answered_as_its_rows_are_alone_also_in_pieces(
    ask: Ask, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: list[dict[str, object]] = [
        {"user_id": "ada", "k": 2},
        {"history": [], "k": 3},
        {"history": [item(7)], "k": 5},
    ]
    requests += [{"history": [item(number)], "k": 4} for number in (1, 2, 3)]
    alone_each = [ask(**request) for request in requests]
    monkeypatch.setattr(ranking, "SCORES_AT_ONCE", 1)
    monkeypatch.setattr(ranking, "FEWEST_ROWS", 4)
    monkeypatch.setattr(reading, "POSITIONS_AT_ONCE", 1)
    in_pieces = RecommenderPredictor(bundle)
    answers = in_pieces.predict(pa.Table.from_pylist(requests, schema=REQUESTS.schema)).to_pylist()
    for alone, answer in zip(alone_each, answers, strict=True):
        assert answer["item_id"] == alone["item_id"]
        assert answer["score"] == pytest.approx(alone["score"], abs=1e-5)


def test_a_network_that_knows_times_is_told_those_of_the_user_or_of_the_request(tmp_path: Path) -> None:
    job = publish_job(tmp_path)
    write_weights(Path(job.checkpoint), kind="hstu")
    predictor = RecommenderPredictor(write_bundle(job).folder)
    history = {"history": [item(1), "?", item(2), item(3)], "k": 6}
    hours = ["2026-01-07T12:00:00Z", "2026-01-07T12:59", "2026-01-07T14:00:00+01:00", "2026-01-07T14:00"]
    requests = [{"user_id": "ada", "k": 6}, {**history, "times": hours}, history, {**history, "times": []}]
    answers = predictor.predict(pa.Table.from_pylist(requests, schema=REQUESTS.schema)).to_pylist()
    by_user, by_times, *by_items = (dict(zip(each["item_id"], each["score"], strict=True)) for each in answers)
    assert by_user == pytest.approx(by_times, abs=1e-7)
    assert by_user != pytest.approx(by_items[0], abs=1e-7)
    assert by_items[0] == pytest.approx(by_items[1], abs=1e-7)


@pytest.mark.parametrize(
    ("text", "second"),
    [
        ("1970-01-01T00:00:00.9Z", 0),
        ("1969-12-31T23:59:59.1Z", -1),
        ("1970-01-01T01:00+01:00", 0),
        ("1970-01-01", 0),
        ("0001-01-01T00:00+14:00", -62_135_647_200),
        ("9999-12-31T23:59:59-14:00", 253_402_351_199),
    ],
)
def test_times_are_whole_seconds_since_1970_as_the_tables_have_them(text: str, second: int) -> None:
    (request,) = read_requests(pa.table({"history": [["a"]], "times": [[text]]}))
    assert request.second.tolist() == [second]


def test_wrong_requests_are_named_all_at_once(bundle: Path) -> None:
    requests = pa.Table.from_pylist(
        [
            {"k": 1},
            {"user_id": "ada", "history": [], "k": MAX_K + 1},
            {"history": [None], "k": 0, "times": ["noon"]},
            {"history": [item(1), item(2)], "times": ["2026-01-07"]},
            {"history": [item(1)], "times": [None]},
            {"history": [item(1), item(2)], "times": ["2026-01-07", "2026-01-06"]},
            {"user_id": "ada", "times": ["2026-01-07"]},
        ],
        schema=REQUESTS.schema,
    )
    with pytest.raises(ValueError, match="request 0: neither of user_id") as error:
        RecommenderPredictor(bundle).predict(requests)
    for wanted in (
        "request 1: both of",
        "request 1: k is 1,001",
        "request 2: a null",
        "request 2: k is 0",
        "request 3: 1 times, wanted one for each of 2 items in history",
        "request 2: times[0] is 'noon', wanted ISO 8601",
        "request 4: times[0] is None, wanted ISO 8601",
        "request 5: times[1] is '2026-01-06', before the one ahead of it",
        "request 6: times without a history",
    ):
        assert wanted in str(error.value)


@pytest.mark.parametrize("column", ["k", "user"])
def test_a_wrong_column_is_named(bundle: Path, column: str) -> None:
    with pytest.raises(ValueError, match=column):
        RecommenderPredictor(bundle).predict(pa.table({column: ["ten"]}))


def test_many_threads_may_ask_at_once(ask: Ask) -> None:
    alone = ask(user_id="bob", k=5)
    with ThreadPoolExecutor(8) as threads:
        assert all(answer == alone for answer in threads.map(lambda _: ask(user_id="bob", k=5), range(64)))


@pytest.mark.parametrize("times", [False, True])
def test_histories_hold_each_user_once_and_find_no_other(tmp_path: Path, *, times: bool) -> None:
    histories = Histories(write_tables(tmp_path), times=times)
    assert len(histories) == 3
    found = histories.find("ada")
    assert found is not None
    assert found.items.tolist() == [1, 2, 3]
    assert np.diff(found.second).tolist() == ([3600, 3600] if times else [0, 0])
    assert all(histories.find(name) is None for name in ("", "aaa", "adam", "zoe"))
