from __future__ import annotations

import polars as pl
import pytest

from tasks.ingest.expressions import parsed, problem_of, reads


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("event != 'bot' AND TRY_CAST(rating AS DOUBLE) >= 4", ["event", "rating"]),
        ("CASE WHEN a > 0 THEN a WHEN b > 0 THEN b ELSE 0 END", ["a", "b"]),
        ("CONCAT(f0, '_', f1)", ["f0", "f1"]),
        ("\"user agent\" LIKE '%bot%' OR \"it's\" = 'it''s'", ["it's", "user agent"]),
        ('"$.user.age" IS NOT NULL', ["$.user.age"]),
        ("kind IN ('a', 'b') AND n % 2 = 0 AND ROUND(x, 1) > 0", ["kind", "n", "x"]),
        ("Name = 'x' OR name = 'y'", ["Name", "name"]),
        ("word = 'SUM(a) OVER now()' -- SUM(a)", ["word"]),
        ('"Len" = \'Agg\' AND "now" > 3', ["Len", "now"]),
        ("SPLIT_PART(path, '/', 2)", ["path"]),
    ],
)
def test_an_expression_says_which_columns_it_reads(text: str, columns: list[str]) -> None:
    assert sorted(reads(text)) == columns
    assert problem_of(text) == ""


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        *(
            pytest.param(text, "looks at several rows", id=text)
            for text in (
                "SUM(a)",
                "COUNT(*) > 1 AND a = 1",
                "CASE WHEN a > MAX(a) THEN 1 END",
                "a > AVG(a) OVER (PARTITION BY b)",
                "LAG(a) OVER (ORDER BY b)",
                "ROW_NUMBER() OVER (ORDER BY a)",
                "RANK() OVER (ORDER BY a)",
                "NTILE(4) OVER (ORDER BY a)",
                "FIRST(a)",
                "MEDIAN(a)",
                "QUANTILE_CONT(a, 0.5)",
                "CORR(a, b)",
                "COVAR(a, b)",
                "STRING_AGG(a, ',')",
                "UNNEST(a)",
                "COLUMNS('a.*')",
                '"^a.*$"',
                "a > (SELECT 1)",
            )
        ),
        pytest.param("SELECT a FROM b", "is no expression: .*SELECT", id="a query"),
        pytest.param("a b c", "is no expression: .*unexpected token 'c'", id="no SQL"),
        pytest.param("a = ", "is no expression", id="cut short"),
        pytest.param("a; DROP TABLE b", "is no expression", id="several statements"),
        pytest.param(" ", "is no expression", id="nothing"),
        pytest.param("NOSUCH(a)", "unsupported function 'nosuch'", id="no such function"),
        pytest.param("a IN (SELECT b FROM c)", "is no expression", id="another table"),
        pytest.param("1 = 1", "reads no column.*one of defaults", id="no column"),
        pytest.param("a < NOW()", "asks for the time it is", id="the time it is"),
        pytest.param("a < CURRENT_DATE", "asks for the time it is", id="today"),
    ],
)
def test_what_is_no_expression_over_one_row_is_told_with_an_example(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=f"(?s){problem}.*such as `CASE WHEN TRY_CAST"):
        parsed(text)
    assert problem_of(text)


def test_an_expression_gives_each_row_its_own_value_in_whichever_block_it_stands() -> None:
    frame = pl.DataFrame({"a": ["1", "x", None, "4"]})
    value = parsed("CASE WHEN TRY_CAST(a AS DOUBLE) > 3 THEN 'high' ELSE a END")
    whole = frame.select(value).to_series().to_list()
    assert whole == [frame[row : row + 1].select(value).item() for row in range(4)] == ["1", "x", None, "high"]
