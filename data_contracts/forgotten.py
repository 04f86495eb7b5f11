"""Who is forgotten: salted hashes of the ids of people whose rows were erased, and are left out when they come again.

Written by ``forget``, read by it and by ``validate``. A hash tells nobody who it is of, but whoever has it, the salt
and a list of ids can try each of these: the table is as confidential as the tables were.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from secrets import token_hex

import polars as pl
import polars_hash as plh
import pyarrow as pa

from data_contracts.contract import DataContract
from data_contracts.night import Value
from data_contracts.reading import scan
from data_contracts.table import Table

FORGOTTEN = DataContract(
    name="forgotten",
    schema=pa.schema(
        [
            pa.field("digest", pa.string(), nullable=False, metadata={"unit": "sha256 of salt and id, hexadecimal"}),
            pa.field("since", pa.timestamp("us", tz="UTC"), nullable=False),
        ]
    ),
    written_by="forget",
    read_by=("forget", "validate"),
)
"""One row a person."""

SALT = "salt"
"""Note of every commit of the table: what is put before an id; the first commit draws it."""
SALT_BYTES = 16

WORD = r"""[^\s,;|"'{}\[\]\\]+"""
"""What a text of unknown form is taken apart into, to look for ids in it."""


class Forgotten(Value):
    """The list, as it is sent to workers.

    Attributes:
        salt: Put before an id; empty while nobody is forgotten.
        files: URIs of the table's files.
    """

    salt: str = ""
    files: tuple[str, ...] = ()

    def are(self, ids: pl.Series) -> pl.Series:
        """Return which of some ids are of people who are forgotten; null is nobody's."""
        if not self.files or ids.null_count() == len(ids):
            return pl.repeat(value=False, n=len(ids), eager=True, dtype=pl.Boolean)
        known = ids.alias("id").unique().drop_nulls().to_frame()
        digests = scan(self.files, FORGOTTEN).select("digest").collect()
        found = known.with_columns(digest=_digest("id", self.salt)).join(digests, on="digest", how="semi")
        return ids.is_in(found["id"].implode()).fill_null(value=False)

    def are_named_in(self, texts: pl.Series) -> pl.Series:
        """Return which texts have a `WORD` that is such an id: of rows that could not be read, say."""
        words = texts.alias("word").to_frame().with_row_index("row").drop_nulls()
        words = words.with_columns(pl.col("word").str.extract_all(WORD)).explode("word").drop_nulls()
        named = words.filter(self.are(words["word"]))["row"].unique()
        return pl.int_range(len(texts), eager=True).cast(named.dtype).is_in(named.implode())


def forgotten_of(folder: str) -> Forgotten:
    """Return the list that belongs to tables of one folder."""
    table = Table(folder, FORGOTTEN)
    return Forgotten(salt=table.note(SALT) or "", files=tuple(sorted(table.file_rows())))


def put_on_list(folder: str, ids: Iterable[str]) -> int:
    """Put people on the list in one commit, and return how many of them were not on it before."""
    table, known = Table(folder, FORGOTTEN), forgotten_of(folder)
    asked = pl.Series("id", sorted(set(ids)), pl.String)
    new = asked.filter(~known.are(asked))
    if new.is_empty():
        return 0
    salt = known.salt or token_hex(SALT_BYTES)
    rows = new.to_frame().select(digest=_digest("id", salt), since=pl.lit(datetime.now(UTC)))
    parts = table.write(rows.to_arrow(compat_level=pl.CompatLevel.oldest()), f"list-{table.next_version():06}")
    table.commit(parts, notes={SALT: salt})
    return len(new)


def _digest(column: str, salt: str) -> pl.Expr:
    hashed: pl.Expr = plh.concat_str(pl.lit(salt), pl.col(column)).chash.sha2_256()
    return hashed
