from __future__ import annotations

import gzip
import os
import socket
import tarfile
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path
from threading import Thread

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from data_contracts.recommender.events import EVENTS
from tasks.ingest.errors import IngestError, NoFilesError, UnreadableFileError
from tasks.ingest.sources import SourceFile, list_files
from tasks.ingest.storage import link
from tests.tasks.ingest.source import at, source_of, stage_file

HEAD = "user_id,item_id,timestamp\n"
ROW = "a,1,2026-11-20\n"
TEXT = HEAD + ROW


def _texts(uri: str) -> dict[str, bytes]:
    texts = {}
    for file in list_files(uri):
        with file.open() as raw:
            texts[file.name] = raw.read()
    return texts


def _zip(path: Path, members: dict[str, str | bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)


@pytest.mark.parametrize(
    "name",
    ["a b.csv", "ü.csv", "[x].csv", "100%.csv", "%20.csv", "a::b.csv", "zip::b.csv", "a#b?c.csv", "a=b.csv", "~.csv"],
)
def test_a_file_may_be_called_anything(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(TEXT)
    for uri in (tmp_path, tmp_path / name, tmp_path / "*.csv", f"file://{tmp_path}/{name}"):
        (file,) = list_files(str(uri))
        assert (file.name, file.is_local) == (name, True)
        staged = stage_file(file, at(tmp_path / "staged"), source_of(uri=str(uri)), EVENTS)
        assert staged.rows == 1
        (tmp_path / staged.parts[0].name).unlink()


def test_files_in_archives_are_files(tmp_path: Path) -> None:
    logs = {"2.csv.gz": gzip.compress(b"2"), "1.csv": "1", "in/3.csv": "3", "_x.csv": "", "__MACOSX/1.csv": ""}
    _zip(tmp_path / "a.zip", logs)
    assert _texts(f"zip://*.csv::{tmp_path}/a.zip") == {"1.csv": b"1"}
    assert list(_texts(f"zip://::file://{tmp_path}/a.zip")) == ["1.csv", "2.csv.gz", "3.csv"]
    assert list(_texts(f"zip::{tmp_path}/a.zip")) == ["1.csv", "2.csv.gz", "3.csv"]
    assert list(_texts(f"zip://in::simplecache::file://{tmp_path}/a.zip")) == ["3.csv"]
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "a.zip", "deep/a.zip")
    assert _texts(f"zip://*/*.csv::tar://deep/*.zip::{tmp_path}/a.tar.gz") == {"3.csv": b"3"}


def test_a_glob_may_name_archives_too(tmp_path: Path) -> None:
    for name in ("a", "b::c"):
        _zip(tmp_path / f"{name}.zip", {"log.csv": TEXT})
    uri = f"zip://*.csv::{tmp_path}/*.zip"
    files = list_files(uri)
    assert [file.uri for file in files] == [f"zip://log.csv::file://{tmp_path}/{name}.zip" for name in ("a", "b::c")]
    assert all(file.is_local for file in files)
    staged = [stage_file(file, at(tmp_path / file.transaction), source_of(uri=uri), EVENTS) for file in files]
    assert [file.rows for file in staged] == [1, 1]


def test_a_file_in_an_archive_is_another_once_the_archive_was_written_again(tmp_path: Path) -> None:
    _zip(tmp_path / "a.zip", {"1.csv": TEXT, "2.csv": TEXT})
    uri = f"zip://*.csv::{tmp_path}/a.zip"
    first = {file.transaction for file in list_files(uri)}
    assert first == {file.transaction for file in list_files(uri)}
    os.utime(tmp_path / "a.zip", (1, 1))
    assert first.isdisjoint(file.transaction for file in list_files(uri))
    assert len(first) == 2


def test_what_a_chain_held_on_another_night_is_not_what_it_holds(tmp_path: Path) -> None:
    uri = f"simplecache::file://{tmp_path}/*.csv"
    for text in (b"old", b"new"):
        (tmp_path / "a.csv").write_bytes(text)
        assert _texts(uri) == {"a.csv": text}


def test_options_go_to_the_file_system_that_is_named_or_the_last() -> None:
    system = MemoryFileSystem()
    system.pipe("/options/a.csv", TEXT.encode())
    for options in ({"auto_mkdir": True}, {"memory": {"auto_mkdir": True}}):
        (file,) = list_files("memory://options", options)
        assert file.options == options
        assert "auto_mkdir" not in repr(file)
        with file.open() as raw:
            assert raw.read() == TEXT.encode()
    with pytest.raises(IngestError, match=r"cannot be opened: .*nowhere"):
        list_files("nowhere://options", {"anon": True})


@pytest.mark.parametrize(
    ("uri", "wanted"),
    [
        ("a::b.csv", ("file", "")),
        ("/logs/zip::b.csv", ("file", "")),
        ("file:///a::b.csv", ("file", "")),
        ("zip://*.csv::a.zip", ("zip", "a.zip")),
        ("simplecache::http://host/a::b", ("simplecache", "http://host/a::b")),
        ("http://host/a::b", ("http", "")),
    ],
)
def test_a_chain_is_told_from_a_name(uri: str, wanted: tuple[str, str]) -> None:
    first = link(uri)
    assert (first.protocol, first.rest) == wanted


def test_an_archive_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    _zip(tmp_path / "good.zip", {"1.csv": TEXT * 10_000})
    content = (tmp_path / "good.zip").read_bytes()
    (tmp_path / "none.zip").write_bytes(b"no archive")
    with pytest.raises(UnreadableFileError, match=r"none.zip: the zip is damaged: .*Nothing was published"):
        list_files(f"zip://*.csv::{tmp_path}/none.zip")
    (tmp_path / "bad.zip").write_bytes(content[:200] + b"other" + content[205:])
    uri = f"zip://*.csv::{tmp_path}/bad.zip"
    (file,) = list_files(uri)
    with pytest.raises(UnreadableFileError, match=r"1.csv .*the zip is damaged: Bad CRC"):
        stage_file(file, at(tmp_path / "staged"), source_of(uri=uri), EVENTS)
    flags = content.index(b"PK\x01\x02") + 8
    locked = content[:6] + b"\x01" + content[7:flags] + b"\x01" + content[flags + 1 :]
    (tmp_path / "bad.zip").write_bytes(locked)
    (file,) = list_files(uri)
    with pytest.raises(UnreadableFileError, match=r"'1.csv' cannot be unpacked: .*password"):
        stage_file(file, at(tmp_path / "staged"), source_of(uri=uri), EVENTS)


def test_archives_that_are_not_there_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(NoFilesError, match=r"no file at '.*none\.zip'"):
        list_files(f"zip://*.csv::{tmp_path}/none.zip")
    _zip(tmp_path / "a.zip", {"1.txt": ""})
    with pytest.raises(NoFilesError, match=r"no file at 'zip://\*.csv"):
        list_files(f"zip://*.csv::{tmp_path}/a.zip")


@pytest.mark.parametrize(
    ("uri", "partition", "name"),
    [
        pytest.param("file:///logs/a.csv", {}, "a.csv", id="none"),
        pytest.param(
            "file:///logs/day=2026-11-20/event=view/0.csv", {"day": "2026-11-20", "event": "view"}, None, id="two"
        ),
        pytest.param("file:///logs/event=add%2Fto%20cart/0.csv", {"event": "add/to cart"}, None, id="quoted"),
        pytest.param("file:///logs/q=a=b/0.csv", {"q": "a=b"}, None, id="equals"),
        pytest.param("file:///logs/event=/0.csv", {"event": ""}, None, id="empty"),
        pytest.param("file:///logs/event=__HIVE_DEFAULT_PARTITION__/0.csv", {"event": None}, None, id="null"),
        pytest.param("file:///n=1/logs/n=2/0.csv", {"n": "2"}, "n=2/0.csv", id="the last one"),
        pytest.param("file:///logs/=x/a=b.csv", {}, "a=b.csv", id="a name is no column"),
    ],
)
def test_folders_on_the_way_say_columns(uri: str, partition: dict[str, str | None], name: str | None) -> None:
    file = SourceFile(uri=uri, size=1, transaction="")
    assert file.partition == partition
    assert file.name == (name or uri.removeprefix("file:///logs/"))


def test_the_folders_of_an_archive_and_those_in_it_count(tmp_path: Path) -> None:
    (tmp_path / "event=view").mkdir()
    _zip(tmp_path / "event=view/a.zip", {"item_id=7/0.csv": ROW})
    (file,) = list_files(f"zip://**/*.csv::{tmp_path}/**/*.zip")
    assert file.partition == {"event": "view", "item_id": "7"}


def test_what_links_lead_to_is_read_once(tmp_path: Path) -> None:
    logs, pool = tmp_path / "logs", tmp_path / "pool"
    for folder in (logs / "event=buy", pool / "day=1", tmp_path / "other"):
        folder.mkdir(parents=True)
    for file in (logs / "1.csv", pool / "day=1/2.csv", tmp_path / "other/3.csv"):
        file.write_text(TEXT)
    (logs / "a-latest.csv").symlink_to("1.csv")
    (logs / "day=2").symlink_to(pool / "day=1")
    (logs / "event=buy/3.csv").symlink_to(tmp_path / "other/3.csv")
    (logs / "gone.csv").symlink_to(tmp_path / "gone.csv")
    wanted = ["1.csv", "day=2/2.csv", "event=buy/3.csv"]
    for uri in (logs, logs / "**", logs / "**/*.csv"):
        assert [file.name for file in list_files(str(uri))] == wanted
    assert list(_texts(str(logs / "*.csv"))) == ["1.csv"]
    (named,) = list_files(str(logs / "event=buy/3.csv"))
    assert named.transaction == list_files(str(logs))[2].transaction


@pytest.mark.parametrize("target", [".", "..", "../..", "../b"])
def test_links_in_a_circle_end(tmp_path: Path, target: str) -> None:
    for folder in ("logs/a", "logs/b"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "1.csv").write_text(TEXT)
    (tmp_path / "logs/a/x").symlink_to(target)
    (tmp_path / "logs/b/y").symlink_to("../a")
    assert [file.uri.rpartition("logs/")[2] for file in list_files(str(tmp_path / "logs"))] == ["a/1.csv", "b/1.csv"]


def test_names_that_are_no_utf8_are_all_said(tmp_path: Path) -> None:
    for name in (b"caf\xe9.csv", b"event=caf\xe8/0.csv", b"good.csv"):
        path = os.fsencode(tmp_path) + b"/" + name
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(os.fsdecode(path)).write_text(TEXT)
    with pytest.raises(UnreadableFileError, match="2 files have names that are not UTF-8, rename them") as error:
        list_files(str(tmp_path))
    assert all(name in str(error.value) for name in (r"caf\xe9.csv", r"event=caf\xe8/0.csv", "Nothing was published"))
    assert [file.name for file in list_files(str(tmp_path / "good*.csv"))] == ["good.csv"]


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        pytest.param("_a.csv", "_*.csv", id="hidden, and asked for by a glob"),
        pytest.param(".logs/a.csv", ".l*/*.csv", id="a hidden folder"),
        pytest.param("dir [x]/a.csv", "dir [x]/*.csv", id="a folder like a glob"),
        pytest.param("[x]/[y]*/a.csv", "[x]/[y]*/[a-c].csv", id="two of them, and a glob"),
    ],
)
def test_a_glob_finds_what_it_names(tmp_path: Path, name: str, asked: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(TEXT)
    assert [file.path for file in list_files(str(tmp_path / asked))] == [str(tmp_path / name)]


def test_a_server_that_does_not_answer_is_no_file_that_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(ConnectionError, match=r"log\.csv does not answer: .*refused|Cannot connect"):
        list_files(f"http://127.0.0.1:{port}/log.csv")


@pytest.mark.parametrize(
    ("handler", "kind", "message"),
    [
        pytest.param(BaseHTTPRequestHandler, ConnectionError, "does not answer: 501", id="an error"),
        pytest.param(SimpleHTTPRequestHandler, NoFilesError, "no file at", id="not there"),
    ],
)
def test_what_a_server_says_of_a_file(
    handler: type[BaseHTTPRequestHandler], kind: type[Exception], message: str
) -> None:
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(kind, match=message):
            list_files(f"http://127.0.0.1:{server.server_port}/log.csv")
        server.shutdown()


def test_a_hidden_folder_is_told_from_a_column(tmp_path: Path) -> None:
    for folder in ("_temporary", ".git", "_month=11", "_delta_log"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "0.csv").touch()
    (tmp_path / "_month=11" / "_SUCCESS").touch()
    assert [file.name for file in list_files(str(tmp_path))] == ["_month=11/0.csv"]


def test_several_uris_give_the_files_of_all_each_once_and_an_empty_one_is_named(tmp_path: Path) -> None:
    for name in ("b/1.csv", "a/1.csv", "a/2.csv", "[c]/1.csv", "d,e.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(TEXT)
    (tmp_path / "latest.csv").symlink_to(tmp_path / "a/2.csv")
    asked = [f"{tmp_path}/{each}" for each in ("b", "a/2.csv", "a", "b/*.csv", "latest.csv", "[c]", "d,e.csv")]
    names = [file.uri.removeprefix(f"file://{tmp_path}/") for file in list_files(asked)]
    assert names == ["b/1.csv", "a/2.csv", "a/1.csv", "[c]/1.csv", "d,e.csv"]
    with pytest.raises(NoFilesError, match=r"no file at '.*/none'"):
        list_files([*asked, f"{tmp_path}/none"])
    _zip(tmp_path / "a.zip", {"1.csv": TEXT})
    archived = f"zip://*.csv::{tmp_path}/a.zip"
    assert [file.name for file in list_files([archived, f"{tmp_path}/b", archived])] == ["1.csv", "1.csv"]
