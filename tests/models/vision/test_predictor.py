from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
import torch

from data_contracts.vision.requests import MAX_K
from models.vision.bundle import golden_requests
from models.vision.predictor import VisionPredictor
from models.vision.weights import copy_into, load, new_network
from models.weights import WeightsError
from tests.data_contracts.vision.made_up import bars, encoded
from tests.models.vision.tables import write_weights

MANY = tuple("abcdefgh")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_weights(tmp_path / "weights", labels=MANY)


def ask(folder: Path, *images: bytes | None) -> list[dict[str, object]]:
    answers: list[dict[str, object]] = (
        VisionPredictor(folder).predict(pa.table({"image": pa.array(images, pa.binary())})).to_pylist()
    )
    return answers


def test_the_most_probable_classes_come_first(folder: Path) -> None:
    pixels, _ = bars(70)
    answers = ask(folder, *(encoded(each[:, :, 0]) for each in pixels))
    with torch.no_grad():
        wanted = load(folder).network(torch.from_numpy(pixels)).softmax(dim=1)
    assert [answer["label"] for answer in answers] == [MANY[number] for number in wanted.argmax(dim=1)]
    for answer, row in zip(answers, wanted, strict=True):
        assert answer["probabilities"] == pytest.approx(row.sort(descending=True).values[:MAX_K].tolist(), abs=1e-6)
        assert answer["classes"][0] == answer["label"]  # type: ignore[index]


def test_pictures_of_any_kind_and_size_are_answered(folder: Path) -> None:
    pixels, _ = bars(1, size=60)
    assert len(ask(folder, encoded(pixels[0, :, :, 0]), encoded(pixels[0, :, :, 0], "JPEG"))) == 2
    assert ask(folder) == []


def test_bad_pictures_are_named_by_their_rows(folder: Path) -> None:
    good = encoded(bars(1)[0][0, :, :, 0])
    with pytest.raises(ValueError, match=r"request 1: image is no PNG or JPEG.*request 2: image cut short.*\.$"):
        ask(folder, good, b"GIF", good[:-40])
    with pytest.raises(ValueError, match="1 nulls, wanted none"):
        ask(folder, None)


def test_golden_requests_are_always_the_same_and_can_be_answered(folder: Path) -> None:
    golden = golden_requests(folder)
    assert golden == golden_requests(folder)
    assert len(ask(folder, *(request["image"] for request in golden))) == len(golden) == 6  # type: ignore[arg-type]


def test_a_network_that_knows_more_classes_starts_from_one_that_knows_fewer(folder: Path) -> None:
    before = load(folder)
    grown = new_network(before.record.network, "grey", (*MANY, "i"))
    fresh = grown.head.classes.weight[-1].clone()
    copy_into(grown, folder, (*MANY, "i"))
    torch.testing.assert_close(grown.head.classes.weight[:-1], before.network.head.classes.weight)
    torch.testing.assert_close(grown.head.classes.weight[-1], fresh)
    with pytest.raises(WeightsError, match="wanted the first of"):
        copy_into(new_network(before.record.network, "grey", MANY[::-1]), folder, MANY[::-1])
    with pytest.raises(WeightsError, match=r"stem.convolution.weight: \(8, 1, 3, 3\), wanted \(8, 3, 3, 3\)"):
        copy_into(new_network(before.record.network, "rgb", MANY), folder, MANY)
