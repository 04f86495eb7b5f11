from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.ingest import quotes
from tasks.ingest.errors import UnreadableFileError
from tasks.ingest.fields import NOT_SPLIT
from tasks.ingest.lines import BLOCK_BYTES
from tests.tasks.ingest.source import stage

IN_QUOTE = "inside a quote that its row does not close; see source.quoted"
HEAD = "user_id,item_id,timestamp,title\n"


def _row(number: int, title: str = "plain") -> str:
    return f"u{number},i{number},2026-11-20T10:00:00Z,{title}\n"


ROWS = [_row(number) for number in range(9)]
FIRST, LAST = _row(0, '"Heroes'), _row(9, '"Heroes" (Live)')


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        pytest.param([FIRST, *ROWS[1:], LAST, _row(10)], range(10), id="a leading quote, twice"),
        pytest.param(
            [_row(0, r'"TV 55\""'), *ROWS[1:], _row(9, r'"TV 27\""'), _row(10)], range(10), id="Spark's escape"
        ),
        pytest.param([FIRST, *ROWS[1:]], range(9), id="one quote: the file ends inside"),
        pytest.param([*ROWS, _row(9, '"x')], [9], id="a quote in the last row"),
        pytest.param([*ROWS, _row(9, '"x').strip()], [9], id="a quote in the last row, without its end"),
        pytest.param([*ROWS[:3], _row(3, 'TV 55" LED'), *ROWS[4:]], [], id="a quote within a field is a character"),
        pytest.param([*ROWS[:3], _row(3, '"TV 55"" LED, 4K"'), *ROWS[4:]], [], id="a quote written twice"),
        pytest.param([*ROWS[:3], _row(3, '"Heroes" (Live)'), *ROWS[4:]], [], id="text behind a quote, in one line"),
        pytest.param([_row(0, '""'), *ROWS[1:]], [], id="an empty quote"),
        pytest.param([_row(0, '"""'), *ROWS[1:3], _row(3, '"'), *ROWS[4:]], range(4), id="lone quotes"),
        pytest.param(['u0,"i0,2026-11-20,a\n', ROWS[1], 'u2,i2",2026-11-20,a\n', ROWS[3]], range(3), id="in an id"),
        pytest.param(['u0,"i0,2026-11-20,a\n', 'u1,i1",2026-11-20,a\n', ROWS[2]], range(2), id="an id over two rows"),
        pytest.param(['"u0,i0,2026-11-20,a\n', *ROWS[1:]], range(9), id="in the first field"),
        pytest.param(
            [ROWS[0], '"u1","i1","2026-11-20","x\n', '"u2","i2","2026-11-20","x"\n', ROWS[3]],
            [1, 2],
            id="all in quotes",
        ),
    ],
)
@pytest.mark.parametrize("written", ["as it is", "tabs", "CRLF", "CR", "packed"])
def test_a_quote_that_swallows_rows_costs_each_of_its_lines(
    tmp_path: Path, text: list[str], broken: Any, written: str
) -> None:
    lines, options, name = "".join([HEAD, *text]), dict[str, Any](), "log.csv"
    if written == "tabs":
        lines, options = lines.replace(",", "\t"), {"separator": "\t"}
    lines = lines.replace("\n", {"CRLF": "\r\n", "CR": "\r"}.get(written, "\n"))
    content = lines.encode()
    if written == "packed":
        content, name = gzip.compress(content), "log.csv.gz"
    staged, rows = stage(tmp_path / name, content, **options)
    assert staged.rows == len(text)
    assert [row["source_row"] for row in rows] == list(range(len(text)))
    assert [row["source_row"] for row in rows if row["problem"]] == list(broken)
    assert {row["problem"] for row in rows} <= {None, IN_QUOTE}
    for row in rows:
        if row["problem"]:
            line = text[row["source_row"]].strip().replace(",", options.get("separator", ","))
            assert json.loads(row["original"]) == {"line": line}
        else:
            assert row["user_id"] == f"u{row['source_row']}"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('u,i,2026-11-20,"Good.\n\nBad, too.\nu9,i9"\n', id="the text comes last"),
        pytest.param('"Good.\nBad, very, bad, too",u,i,2026-11-20\n', id="the text comes first"),
        pytest.param('u,"a\nb",2026-11-20,"c\nd"\n', id="two texts"),
        pytest.param('u,i,2026-11-20,"He said ""no,\n""yes"""\n', id="quotes inside"),
        pytest.param('u,i,2026-11-20,"a\nb" \n', id="a blank behind the quote"),
        pytest.param('u,i,2026-11-20,"' + "a\n" * 900 + '"\n', id="many lines"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_text_of_several_lines_is_one_row(
    tmp_path: Path, text: str, end: str, caplog: pytest.LogCaptureFixture
) -> None:
    names = "title,user_id,item_id,timestamp\n" if text.startswith('"') else HEAD
    with caplog.at_level("INFO"):
        _, rows = stage(tmp_path / "log.csv", (names + text + text).replace("\n", end))
    assert [(row["source_row"], row["user_id"], row["problem"]) for row in rows] == [(0, "u", None), (1, "u", None)]
    assert "lines begin inside quotes" in caplog.text


@pytest.mark.parametrize("separator", [",", "\t", " "])
@pytest.mark.parametrize(
    ("user", "wanted"),
    [
        pytest.param(r'"a\"b"', None, id="Spark's escape"),
        pytest.param('"u"x', None, id="text behind"),
        pytest.param('"u""x', None, id="never closed"),
        pytest.param('"u""x"', 'u"x', id="a quote written twice"),
        pytest.param('"u"', "u", id="none"),
        pytest.param('u"x"', 'u"x"', id="quotes that are characters"),
    ],
)
def test_a_row_of_one_line_is_broken_where_the_quoting_of_what_is_read_is(
    tmp_path: Path, user: str, wanted: str | None, separator: str
) -> None:
    fields = [
        ["user_id", "title", "item_id", "timestamp"],
        *([each, '"t"x', "i", "2026-11-20"] for each in ("u", user)),
    ]
    text = "".join(separator.join(row) + "\n" for row in fields)
    _, (_, row) = stage(tmp_path / "log.csv", text, separator=separator)
    assert (row["user_id"], row["problem"]) == (wanted, None if wanted else IN_QUOTE)


def test_a_row_of_several_lines_that_does_not_split_counts_each_of_them(tmp_path: Path) -> None:
    _, rows = stage(tmp_path / "log.csv", HEAD + ROWS[0] + 'a,"b\nc\n\nd",e\n' + "x,y\n" + ROWS[4])
    assert [row["problem"] for row in rows] == [None, IN_QUOTE, IN_QUOTE, IN_QUOTE, NOT_SPLIT, None]
    assert rows[-1]["source_row"] == 5


def test_a_quote_that_stays_open_is_closed_after_so_many_lines(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rest = 500
    text = FIRST + "".join(_row(number) for number in range(1, quotes.MAX_LINES + rest))
    _, rows = stage(tmp_path / "log.csv", HEAD + text)
    assert [row["problem"] for row in rows] == [IN_QUOTE] * quotes.MAX_LINES + [None] * rest
    assert (
        f"1 rows do not close a quote that they open: their {quotes.MAX_LINES:,} lines are broken rows" in caplog.text
    )


def test_a_row_may_go_on_in_the_next_block(tmp_path: Path) -> None:
    """Of every row nearly all is a quoted text of two lines, so blocks end inside them."""
    half = "x" * (3 * BLOCK_BYTES // 400)
    texts = [_row(number, f'"{half}\n{half}, three"') for number in range(200)]
    texts[100:104] = [_row(100, f'"Heroes{half}'), _row(101), _row(102), _row(103, f'"{half} Heroes" (Live)')]
    _, rows = stage(tmp_path / "log.csv", HEAD + "".join(texts))
    assert [row["source_row"] for row in rows] == list(range(200))
    assert [row["source_row"] for row in rows if row["problem"]] == [100, 101, 102, 103]
    assert all(row["user_id"] == f"u{row['source_row']}" for row in rows if not row["problem"])


@pytest.mark.parametrize(
    ("head", "message"),
    [
        pytest.param('user_id,item_id,timestamp,"title\n', "columns are named inside a quote", id="never closed"),
        pytest.param(
            f'user_id,item_id,timestamp,"title\n{_row(0)}{_row(1, chr(34))}', "columns are named", id="closed by a row"
        ),
    ],
)
def test_a_head_that_swallows_rows_is_refused(tmp_path: Path, head: str, message: str) -> None:
    with pytest.raises(UnreadableFileError, match=message):
        stage(tmp_path / "log.csv", head + "".join(ROWS))


def test_without_a_time_in_its_rows_a_file_has_only_its_quotes_to_tell_by(tmp_path: Path) -> None:
    folder = tmp_path / "timestamp=2026-11-20"
    folder.mkdir()
    texts = ['u,i,"so\nso, very, good"\n', 'v,i,"Heroes\n', 'w,i,"Heroes" (Live)\n', "x,i,\n"]
    _, rows = stage(folder / "log.csv", "user_id,item_id,title\n" + "".join(texts))
    assert [(row["user_id"], row["problem"]) for row in rows] == [
        ("u", None),
        (None, IN_QUOTE),
        (None, IN_QUOTE),
        ("x", None),
    ]


def test_a_file_may_have_one_column(tmp_path: Path) -> None:
    folder = tmp_path / "timestamp=2026-11-20" / "item_id=i"
    folder.mkdir(parents=True)
    _, rows = stage(folder / "log.csv", 'user_id\nu\n"v\n"w" x\ny\n')
    assert [row["user_id"] for row in rows] == ["u", None, None, "y"]


def test_names_in_quotes_may_hold_line_breaks(tmp_path: Path) -> None:
    _, rows = stage(tmp_path / "log.csv", '\n"user_id","item_id","timestamp","price\n(EUR)"\n' + "".join(ROWS))
    assert [row["user_id"] for row in rows] == [f"u{number}" for number in range(9)]


IDS = st.sampled_from(["a", 'a"', '"a', '"a"', 'a"b', '""', '"a""', "é", ""])
LINES = st.lists(st.builds("{},{},2026-11-20,t".format, IDS, IDS) | st.just("x"), max_size=12)


@given(lines=LINES)
@settings(max_examples=150, deadline=None)
def test_no_line_goes_missing(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    path = tmp_path_factory.mktemp("csv") / "log.csv"
    staged, rows = stage(path, HEAD + "".join(f"{line}\n" for line in lines))
    kept = [json.loads(row["original"]) if row["problem"] else row for row in rows]
    inside = sum(str(row.get(name)).count("\n") for row in kept for name in ("user_id", "item_id", "timestamp"))
    assert staged.rows + inside == len(lines)
    assert [row["source_row"] for row in rows] == list(range(staged.rows))


FIELDS = st.text(st.sampled_from('ab" ,é\\'), max_size=6)


@given(
    rows=st.lists(st.tuples(FIELDS, FIELDS, FIELDS), max_size=12),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
)
@settings(max_examples=100, deadline=None)
def test_what_a_csv_writer_writes_is_read_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]], quoting: Any
) -> None:
    path = tmp_path_factory.mktemp("csv") / "log.csv"
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=quoting)
    writer.writerows([HEAD.strip().split(","), *((user, item, "2026-11-20", title) for user, item, title in rows)])
    _, read = stage(path, text.getvalue())
    assert [row["problem"] for row in read] == [None] * len(rows)
    wanted = [(user if user.strip() else None, item if item.strip() else None) for user, item, _ in rows]
    assert [(row["user_id"], row["item_id"]) for row in read] == wanted
