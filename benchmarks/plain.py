"""The plain transformation of a log, as one script of one engine: what ``make bench-data`` compares the house with.

Distinct rows; items met fewer than five times are dropped, then users with fewer than five rows left; items are
numbered; each user's items are one list in the order of time; lists and numbers are written as Parquet. No row is
checked, none is kept aside, nothing is remembered for the next night.

It runs in an environment of its own too, so nothing but the engine is imported.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

LEAST = 5
"""Rows of an item, and of a user."""
THREADS = 2


def polars(logs: str, out: str) -> None:
    """Polars: the rows in memory once, in columns."""
    import polars as pl

    rows = pl.scan_parquet(f"{logs}/*.parquet").unique().collect()
    items = rows["item_id"].value_counts().filter(pl.col("count") >= LEAST).sort("item_id").with_row_index("number", 1)
    rows = rows.join(items.select("item_id", "number"), on="item_id")
    users = rows["user_id"].value_counts().filter(pl.col("count") >= LEAST)
    rows = rows.join(users.select("user_id"), on="user_id", how="semi").sort("user_id", "timestamp")
    lists = rows.group_by("user_id", maintain_order=True).agg("number", "event", "timestamp")
    items.select("item_id", "number").write_parquet(f"{out}/items.parquet")
    lists.write_parquet(f"{out}/lists.parquet")


def duckdb(logs: str, out: str) -> None:
    """DuckDB: the same in SQL, spilling beside its result when memory is short."""
    import duckdb as engine  # type: ignore[import-not-found]

    database = engine.connect(config={"threads": THREADS, "temp_directory": f"{out}/spilled"})
    for statement in (
        f"CREATE TABLE logs AS SELECT DISTINCT * FROM read_parquet('{logs}/*.parquet')",
        f"""CREATE TABLE items AS SELECT item_id, row_number() OVER (ORDER BY item_id)::INT AS number FROM (
            SELECT item_id FROM logs GROUP BY item_id HAVING count(*) >= {LEAST})""",
        "CREATE TABLE kept AS SELECT user_id, number, event, timestamp FROM logs JOIN items USING (item_id)",
        f"""COPY (SELECT user_id, list(number ORDER BY timestamp) AS number, list(event ORDER BY timestamp) AS event,
            list(timestamp ORDER BY timestamp) AS timestamp FROM kept GROUP BY user_id HAVING count(*) >= {LEAST})
            TO '{out}/lists.parquet' (FORMAT parquet)""",
        f"COPY items TO '{out}/items.parquet' (FORMAT parquet)",
    ):
        database.execute(statement)


def spark(logs: str, out: str) -> None:
    """PySpark on this machine: a list is put in order after it was collected, as nothing says how it comes."""
    from pyspark.sql import SparkSession, Window  # type: ignore[import-not-found]
    from pyspark.sql import functions as f

    settings = {
        "spark.master": f"local[{THREADS}]",
        "spark.driver.memory": "8g",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.sql.shuffle.partitions": "16",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    builder = SparkSession.builder
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    rows = session.read.parquet(logs).distinct().cache()
    met = rows.groupBy("item_id").count().where(f.col("count") >= LEAST)
    items = met.select("item_id", f.row_number().over(Window.orderBy("item_id")).alias("number")).cache()
    event = f.struct("timestamp", "number", "event")
    lists = rows.join(items, "item_id").groupBy("user_id").agg(f.sort_array(f.collect_list(event)).alias("events"))
    lists = lists.where(f.size("events") >= LEAST)
    lists.select("user_id", "events.number", "events.event", "events.timestamp").write.parquet(f"{out}/lists.parquet")
    items.write.parquet(f"{out}/items.parquet")
    session.stop()


ENGINES: dict[str, Callable[[str, str], None]] = {"polars": polars, "duckdb": duckdb, "spark": spark}

if __name__ == "__main__":
    name, *folders = sys.argv[1:]
    ENGINES[name](*folders)
