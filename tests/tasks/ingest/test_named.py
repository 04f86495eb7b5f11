"""A mistake is named by the setting that it is in: that of labels is not called one of the source."""

from __future__ import annotations

import logging
import zipfile
from pathlib import Path
from typing import Any

import pytest

from data_contracts.night import Workspace
from tasks.ingest.changes import agreed
from tasks.ingest.config import LabelSourceConfig, SourceConfig
from tasks.ingest.errors import ChangedColumnError, IngestError, NoFilesError, UnreadableFileError
from tasks.ingest.files import StagedFile
from tasks.ingest.sources import SourceFile, list_files
from tasks.ingest.stage import stage_night
from tests.parcels.contracts.arrivals import ARRIVALS
from tests.tasks.ingest.source import Staged, at, rows_at, stage_file

of_both = pytest.mark.parametrize("kind", [SourceConfig, LabelSourceConfig])
HEAD = "parcel_id,hours,arrived_at\n"
ROW = "p,1,2026-03-01T10:00:00Z\n"
NAMES = ["parcel_id", "hours", "arrived_at"]


def staged(path: Path, source: SourceConfig) -> Staged:
    (file,) = list_files(str(path))
    return stage_file(file, at(path.with_name("staged")), source, ARRIVALS)


@of_both
@pytest.mark.parametrize(
    ("settings", "content", "said"),
    [
        pytest.param({"columns": {"hours": "took"}}, HEAD + ROW, "Set OF.columns", id="no such column"),
        pytest.param({"columns": {"hours": "parcel_id"}}, HEAD + ROW, "is another column by OF.columns", id="taken"),
        pytest.param({"format": "jsonl"}, '{"parcel_id": "p"}\n', "Set OF.columns", id="no such member"),
        pytest.param({"where": "hrs > 1"}, HEAD + ROW, "OF.where 'hrs > 1' reads column 'hrs'", id="where reads"),
        pytest.param({"where": "hours > 1"}, HEAD + ROW, "OF.where 'hours > 1' cannot be worked out", id="where"),
        pytest.param({"where": "hours"}, HEAD + ROW, "OF.where 'hours' is String", id="no condition"),
        pytest.param({"compute": {"hours": "hours + DATE '2026-01-01'"}}, HEAD + ROW, "OF.compute.hours", id="compute"),
        pytest.param({"defaults": {"arrived_at": "x"}}, HEAD + ROW, "drop it from OF.defaults", id="no default"),
        pytest.param({"defaults": {"hours": "x"}}, HEAD + ROW, "mend OF.defaults", id="default of another type"),
        pytest.param({"defaults": {"parcel_id": " "}}, HEAD + ROW, "mend OF.defaults", id="default of nothing"),
        pytest.param({"values": {"hours": {"1": "2"}}}, HEAD + ROW, "OF.values names hours", id="values"),
        pytest.param(
            {"arrival": "file", "compute": {"arrived_at": "hours"}}, HEAD + ROW, "and OF.arrival says", id="two times"
        ),
        pytest.param(
            {"compute": {"arrived_at": "CAST(hours AS INT)"}}, HEAD + ROW, "set OF.time_unit to s", id="a number"
        ),
        pytest.param({"header": NAMES}, HEAD + ROW, "its first line is OF.header", id="a header"),
        pytest.param({"header": NAMES}, "p;1\n", "OF.header names 3.*see OF.separator", id="another separator"),
        pytest.param({}, '"parcel_id,hours,arrived_at\n' + ROW, "see OF.quoted", id="the first line is quoted"),
        pytest.param({}, (HEAD + ROW).encode("utf-16"), "set OF.encoding to utf-16", id="UTF-16"),
        pytest.param({"encoding": "utf-16"}, HEAD + ROW, "See OF.encoding", id="no UTF-16"),
    ],
)
def test_by_what_cannot_be_taken(
    tmp_path: Path, kind: type[SourceConfig], settings: dict[str, Any], content: str | bytes, said: str
) -> None:
    path = tmp_path / "log"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(IngestError, match=said.replace("OF", kind.of)) as error:
        staged(path, kind.model_validate(settings))
    assert ("source." in str(error.value)) == (kind.of == "source")


@of_both
def test_by_what_is_taken_and_broken(
    tmp_path: Path, kind: type[SourceConfig], caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "log").write_text(HEAD + "p,1,soon\n" + 'p,"1,2026-03-01T10:00:00Z\n')
    found = staged(tmp_path / "log", kind())
    assert f"see {kind.of}.time_unit and {kind.of}.time_format" in found.unread_time
    problems = [row["problem"] for row in rows_at(at(tmp_path / "staged"), found)]
    assert f"inside a quote that its row does not close; see {kind.of}.quoted" in problems
    assert f"set {kind.of}.quoted to false" in caplog.text
    for settings in ({"time_unit": "ms"}, {"time_format": "%Y-%m-%d"}):
        (name,) = settings
        found = staged(tmp_path / "log", kind.model_validate({**settings, "quoted": False}))
        assert f"({kind.of}.{name})" in found.unread_time


@of_both
def test_by_columns_that_changed(kind: type[SourceConfig], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    file = SourceFile(uri="file:///a", size=1, transaction="a")
    columns = dict.fromkeys([*NAMES, "new"], "int8")
    found = StagedFile(source=file, rows=0, columns=columns)
    known = dict.fromkeys(NAMES, ("int8", "int8"))
    agreed([found], known, kind(), ARRIVALS)
    assert [record.getMessage() for record in caplog.records] == [
        f"{kind.of.capitalize()}: column 'new' is new (int8), in a."
    ]
    with pytest.raises(ChangedColumnError, match=f"set {kind.of}.accept_changes to true"):
        agreed([found], dict.fromkeys(NAMES, ("int64", "int64")), kind(), ARRIVALS)


@of_both
def test_by_where_files_lie(tmp_path: Path, kind: type[SourceConfig]) -> None:
    workspace = Workspace(name="p", use_case="tests.parcels", home=str(tmp_path), tracking_uri="sqlite://")
    variable = f"as NIGHTSHIFT_{kind.of.upper()}__URI, or by --{kind.of}.uri"
    with pytest.raises(NoFilesError, match=f"^{kind.of}.uri is not set.*{variable}"):
        stage_night(workspace, kind(), "tcp://nobody")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.txt", "a")
    columns = {"parcel_id": "name", "hours": "folder", "arrived_at": "modified"}
    source = kind.model_validate({"format": "files", "columns": columns})
    (file,) = list_files(f"zip://*.txt::{tmp_path}/a.zip")
    with pytest.raises(UnreadableFileError, match=f"name that in {kind.of}.uri, not what is in it"):
        stage_file(file, at(tmp_path / "staged"), source, ARRIVALS)
