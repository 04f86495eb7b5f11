from __future__ import annotations

import tarfile
from collections import Counter
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from data_contracts.speech.recordings import SOUND
from examples.speech import DIGITS, SPEAKERS, main
from examples.speech_voices import LETTERS, WORDS
from flows.settings import NightlySettings
from tests.data_contracts.payloads.made_up import encoded, tone

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_voices_come_by_days_a_little_dirty(tmp_path: Path) -> None:
    main(["--folder", str(tmp_path), "--days", "2"])
    days = [pq.read_table(file).to_pylist() for file in sorted(tmp_path.iterdir())]
    for rows in days:
        problems = [SOUND.problem_of(row["sound"]) for row in rows]
        assert problems[:2] == ["sound cut short or not decodable", "sound is silent"]
        assert not any(problems[2:])
        assert [row["text"] for row in rows].count(None) == 1
        assert all(1 <= len(row["text"].split()) <= 5 and set(row["text"].split()) <= set(WORDS) for row in rows[3:])
    (before, after), *_ = pairwise(days)
    assert after[-1]["sound"] == before[3]["sound"]
    assert {row["speaker_id"] for row in after} - {row["speaker_id"] for row in before}


def test_every_letter_of_every_word_has_a_sound() -> None:
    assert set("".join(WORDS)) == set(LETTERS)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    sound = encoded(tone(0.3, rate=8_000), rate=8_000)
    with tarfile.open(tmp_path / "digits.tar.gz", "w:gz") as file:
        of_all = [(digit, who, index) for digit in (0, 7) for who in SPEAKERS for index in (0, 4, 5, 49)]
        for name in [f"recordings/{digit}_{who}_{index}.wav" for digit, who, index in of_all]:
            member = tarfile.TarInfo(name)
            member.size = len(sound)
            file.addfile(member, BytesIO(sound))
        file.addfile(tarfile.TarInfo("recordings/readme.txt"))
    return tmp_path / "digits.tar.gz"


def days_of(folder: Path) -> list[list[dict[str, str]]]:
    return [pq.read_table(file).to_pylist() for file in sorted(folder.iterdir())]


def test_speakers_are_days_in_the_order_in_which_they_came(tmp_path: Path, archive: Path) -> None:
    options = ["--folder", str(tmp_path / "sounds"), "--tar", str(archive)]
    main(options)
    assert len(days_of(tmp_path / "sounds")) == 2
    for _ in SPEAKERS:
        main([*options, "--next-day"])
    days = days_of(tmp_path / "sounds")
    assert [{row["speaker_id"] for row in day} for day in days] == [{speaker} for speaker in SPEAKERS]
    assert Counter(row["text"] for row in days[0]) == {DIGITS[0]: 4, DIGITS[7]: 4}


def test_the_newest_day_of_the_official_split_is_its_test_set(tmp_path: Path, archive: Path) -> None:
    main(["--folder", str(tmp_path / "sounds"), "--tar", str(archive), "--official"])
    days = days_of(tmp_path / "sounds")
    assert [len(day) for day in days] == [24, 24]
    assert Counter(row["speaker_id"] for row in days[-1]) == dict.fromkeys(SPEAKERS, 4)


@pytest.mark.parametrize(("content", "problem"), [(b"PK", "is no archive"), (None, "holds no recording")])
def test_another_file_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, problem: str
) -> None:
    file = tmp_path / "other.tar"
    if content is None:
        tarfile.open(file, "w").close()
    else:
        file.write_bytes(content)
    with pytest.raises(SystemExit):
        main(["--folder", str(tmp_path / "sounds"), "--tar", str(file)])
    assert problem in capsys.readouterr().err
    assert not (tmp_path / "sounds").exists()


@pytest.mark.parametrize("name", ["speech.yaml", "digits.yaml"])
def test_the_settings_are_settings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("NIGHTSHIFT_SETTINGS", "NIGHTSHIFT_HOME"):
        monkeypatch.delenv(variable, raising=False)
    settings = NightlySettings.from_file(str(EXAMPLES / name))()  # type: ignore[call-arg]
    assert settings.use_case == "speech"
    assert settings.model.layers >= 3
