from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from data_contracts.job import commit
from data_contracts.manifest import MANIFEST, DamagedError, verify
from models.publish import write_bundle
from models.recommender.predictor import RecommenderPredictor
from models.serving.bundle import GOLDEN, Golden, GoldenAnswersError, open_bundle, read_golden, replay_golden
from tests.models.serving.tiny_shop import publish_job


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(publish_job(tmp_path_factory.mktemp("shop"))).folder


@pytest.fixture
def bundle(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "bundle"))


def _flip_a_byte(folder: Path) -> None:
    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(bytes(content))


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "a byte changed": (_flip_a_byte, "'model.safetensors': sha256 is"),
    "a file missing": (lambda folder: (folder / "items.parquet").unlink(), "'items.parquet': missing"),
    "a file too many": (lambda folder: (folder / "more.pkl").touch(), "'more.pkl': extra"),
    "a file cut off": (lambda folder: (folder / GOLDEN).write_text("{"), "'golden.json': sha256 is"),
    "no manifest": (lambda folder: (folder / MANIFEST).unlink(), "no readable manifest.json"),
    "a broken manifest": (lambda folder: (folder / MANIFEST).write_text("{"), "no readable manifest.json"),
}


@pytest.mark.parametrize(("damage", "named"), DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_bundle_is_named_before_anything_of_it_is_loaded(
    bundle: Path, damage: Callable[[Path], object], named: str
) -> None:
    verify(bundle)
    damage(bundle)
    with pytest.raises(DamagedError, match=named):
        open_bundle(bundle)


def test_golden_requests_are_answered_as_when_the_bundle_was_made(bundle: Path) -> None:
    assert replay_golden(bundle, open_bundle(bundle)) == len(read_golden(bundle).requests) == 9


def test_other_weights_are_noticed_by_their_answers(bundle: Path, tmp_path: Path) -> None:
    other = write_bundle(publish_job(tmp_path / "other", seed=1)).folder
    with pytest.raises(GoldenAnswersError, match="8 of 9 golden requests are answered otherwise"):
        replay_golden(bundle, RecommenderPredictor(other))


@pytest.mark.parametrize(("change", "same"), [(5e-5, True), (5e-2, False)])
def test_golden_scores_may_differ_by_rounding_only(bundle: Path, change: float, *, same: bool) -> None:
    golden = read_golden(bundle)
    answers = [{**answer, "score": [score + change for score in answer["score"]]} for answer in golden.answers]
    commit(Golden(requests=golden.requests, answers=tuple(answers)), bundle / GOLDEN)
    predictor = RecommenderPredictor(bundle)
    if same:
        assert replay_golden(bundle, predictor) == 9
    else:
        with pytest.raises(GoldenAnswersError):
            replay_golden(bundle, predictor)
