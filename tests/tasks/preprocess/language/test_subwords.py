from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_contracts.language.spelling import Bytes, Subwords
from data_contracts.night import Window
from tasks.preprocess.errors import OtherFeaturesError
from tasks.preprocess.language.config import VOCABULARY, FeatureConfig
from tasks.preprocess.language.subwords import Draw, drawn, learn
from tasks.preprocess.plan import Plan
from tests.data_contracts.language.made_up import stories
from tests.tasks.preprocess.language.days import A_DAY, FIRST, HELD, PAST, Days

FEATURES = FeatureConfig(tokens="subwords", vocabulary=320)
NEW = "qqqq zzzz qqqq zzzz"
"""Words that no made-up text has."""


def write(days: Days, texts: list[list[bytes]], held: list[bytes]) -> None:
    """Write files of texts of the past, then the last day, each text at a time of its own."""
    for place, own in enumerate(texts):
        days.write(place % 2, own)
    days.write(2, held)


@pytest.mark.slow
def test_subwords_are_those_of_the_past_whatever_files_it_lies_in(tmp_path: Path, cluster: str) -> None:
    past, found = [*stories(A_DAY, seed=0), *stories(A_DAY, seed=1)], []
    strange = [f"{NEW} {number} {NEW}".encode() * 9 for number in range(A_DAY)]
    for name, texts, held in (
        ("one", [past[:A_DAY], past[A_DAY:]], stories(A_DAY, seed=2)),
        ("other", [past[20:], past[7:20][::-1], past[:7]], strange),
    ):
        folder = tmp_path / name
        folder.mkdir()
        days = Days(folder, cluster)
        write(days, texts, held)
        night = days.build(days.publish(), FEATURES)
        assert night.windows == (PAST, HELD)
        found.append(days.tables.spelled())
        own = Subwords(found[-1])
        texts_there = [own.text(numbers) for numbers in days.examples(night)["symbols"]]
        assert sorted(texts_there) == sorted(text.decode() for text in [*past, *held])
    assert found[0] == found[1]
    assert len(found[0]) == 320 - 256
    assert not any("q" in pair for pair in found[0])


def test_later_nights_split_texts_as_the_first_did_and_other_subwords_are_refused(tmp_path: Path, cluster: str) -> None:
    days = Days(tmp_path, cluster)
    write(days, [stories(A_DAY, seed=0), stories(A_DAY, seed=1)], stories(A_DAY, seed=2))
    validated = days.publish()
    night = days.build(validated, FEATURES)
    assert days.build(validated, FEATURES) == night
    known = days.tables.symbols.read()
    days.write(3, [f"{NEW} 好 {number}".encode() for number in range(A_DAY)])
    later, new = days.build(days.publish(), FEATURES), str(FIRST + timedelta(days=3))
    assert later.windows == (PAST, HELD, new)
    assert days.tables.symbols.read().equals(known), "nothing is new to bytes"
    assert Subwords(days.tables.spelled()).text(days.examples(later)["symbols"][-1]) == f"{NEW} 好 {A_DAY - 1}"
    for other, said in (
        (FeatureConfig(tokens="subwords"), "features.vocabulary: the tables have 320, the settings say 4,000"),
        (FeatureConfig(tokens="bytes"), "features.tokens: the tables have 'subwords', the settings say 'bytes'"),
    ):
        with pytest.raises(OtherFeaturesError, match=said):
            days.build(validated, other)


def test_documents_are_drawn_by_what_they_say(tmp_path: Path) -> None:
    texts, file = stories(200), str(tmp_path / "part.parquet")
    days = [FIRST + timedelta(days=place % 2) for place in range(200)]
    columns = {
        "text": texts,
        "document_id": list(map(str, range(200))),
        "written_at": [datetime.combine(day, datetime.min.time(), UTC) for day in days],
        "day": days,
    }
    pq.write_table(pa.table({name: [*own] * 2 for name, own in columns.items()}), file)
    last = FIRST + timedelta(days=1)
    plan = Plan(window=Window(first_day=last, last_day=last), first=True)
    whole, some = (drawn(Draw(file, plan, share, "UTC")) for share in (1.0, 0.5))
    assert whole == set(texts[::2])
    assert some < whole
    assert 30 < len(some) < 70


def test_pairs_are_learned_until_there_are_as_many_or_none_is_left() -> None:
    assert learn([], 320) == []
    assert learn([b"ab", b"abx"], 320) == ["a b"]
    pairs = learn(stories(20), 400)
    assert len(pairs) == 400 - 256
    own, said = Subwords(pairs), stories(1, seed=9)[0]
    assert own.count == Bytes.count + len(pairs)
    assert len(own.numbers(said)) < len(said) / 2


@pytest.mark.parametrize("tokens", ["characters", "bytes"])
def test_only_subwords_have_a_vocabulary(tokens: str) -> None:
    assert FeatureConfig.model_validate({"tokens": tokens}).vocabulary is None
    assert FeatureConfig(tokens="subwords") == FeatureConfig(tokens="subwords", vocabulary=VOCABULARY)
    with pytest.raises(ValueError, match=rf"vocabulary \(4,000\) is that of subwords, and tokens is '{tokens}'"):
        FeatureConfig.model_validate({"tokens": tokens, "vocabulary": 4_000})
