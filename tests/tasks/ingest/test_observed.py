from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.tasks.ingest.source import stage


@pytest.mark.parametrize(
    ("ids", "form"),
    [
        pytest.param(["3", "-4", "007"], "whole numbers", id="whole"),
        pytest.param(["3.0", "4.00", "-5.0"], "fractions", id="fractions"),
        pytest.param(["3.0", "1e+16", "1.5e16"], "fractions", id="large ones"),
        pytest.param(["3.0", "", "nan"], "fractions", id="missing ones say nothing"),
        *(
            pytest.param(["3.0", nothing], "fractions", id=f"{nothing} is missing")
            for nothing in ("NA", "N/A", "n/a", r"\N", "-", "--", "?", "NULL", "(null)", "#N/A", "<NA>", "NaN", "None")
        ),
        pytest.param(["3.0", "NB"], "text", id="a word"),
        pytest.param(["3", "4.0"], "text", id="both"),
        pytest.param(["3", "guest"], "text", id="words"),
        pytest.param(["3.5"], "text", id="no whole number"),
        pytest.param(["", ""], "string", id="none"),
    ],
)
def test_how_all_ids_of_a_column_are_written_is_seen(tmp_path: Path, ids: list[str], form: str) -> None:
    lines = "".join(f"{each},i{each},2026-11-20\n" for each in ids)
    staged, _ = stage(tmp_path / "log.csv", "user_id,item_id,timestamp\n" + lines)
    assert staged.columns == {"user_id": form, "item_id": "text", "timestamp": "string"}
    assert staged.examples.get("user_id", "") == ids[0]


@pytest.mark.parametrize(
    ("ids", "kind"),
    [
        pytest.param(["3.0", "4.0"], "fractions", id="text"),
        pytest.param(pa.array(["3", "4"]).dictionary_encode(), "whole numbers", id="packed text"),
        pytest.param([3.0, 4.0], "double", id="numbers have a type"),
        pytest.param([3, 4], "int64", id="whole numbers have one, too"),
    ],
)
def test_of_parquet_only_text_has_a_form(tmp_path: Path, ids: Any, kind: str) -> None:
    table = pa.table({"user_id": ids, "item_id": ["a", "b"], "timestamp": ["2026-11-20"] * 2})
    pq.write_table(table, tmp_path / "source.parquet")
    content = (tmp_path / "source.parquet").read_bytes()
    staged, _ = stage(tmp_path / "log.parquet", content, format="parquet")
    assert staged.columns["user_id"] == kind


def test_numbers_in_quotes_are_text_of_json(tmp_path: Path) -> None:
    row = '{"user_id": "3.0", "item_id": "a", "timestamp": "2026-11-20"}\n'
    staged, _ = stage(tmp_path / "log.jsonl", row, format="jsonl")
    assert staged.columns == {"user_id": "fractions", "item_id": "text", "timestamp": "string"}


def test_the_first_time_that_cannot_be_read_is_kept(tmp_path: Path) -> None:
    text = "user_id,item_id,timestamp\nu,i,2026-11-20\nu,i,20/11/2026\nu,i,soon\n"
    staged, _ = stage(tmp_path / "log.csv", text)
    assert staged.unread_time.startswith("'20/11/2026', wanted ISO 8601")
    assert stage(tmp_path / "log.csv", text, time_format="%Y-%m-%d")[0].unread_time.startswith(
        "'20/11/2026', wanted one"
    )
    assert stage(tmp_path / "log.csv", text[:41])[0].unread_time == ""


@pytest.mark.parametrize("zone", ["+05:30", "+0530", "-03:30", "Z", "UTC+1", "Etc/GMT+3", "Europe/Berlin", "Mars/Base"])
def test_the_zone_of_a_parquet_time_is_only_how_it_is_shown(tmp_path: Path, zone: str) -> None:
    at = pa.array([1_795_348_800_000_000], pa.timestamp("us", "UTC")).cast(pa.timestamp("us", zone))
    pq.write_table(pa.table({"user_id": ["u"], "item_id": ["i"], "timestamp": at}), tmp_path / "source.parquet")
    content = (tmp_path / "source.parquet").read_bytes()
    _, (row,) = stage(tmp_path / "log.parquet", content, format="parquet", time_zone="Asia/Tokyo")
    assert row["timestamp"].isoformat() == "2026-11-22T12:00:00+00:00"
