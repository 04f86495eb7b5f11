"""Buckets: rows of one key lie together, by a hash of it, whoever writes them and on however many machines.

A range of buckets is what one task works on. Files are named after the range whose rows they hold, so a reader of some
buckets knows which files it can leave out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

import polars as pl
import polars_hash as plh
import pyarrow as pa

from data_contracts.contract import DataContract
from data_contracts.night import Value

BUCKETS = 1024
"""For ever: it is written into the tables."""

_NAMED = re.compile(r"buckets-(\d{4})-(\d{4})(?:\.\d+)?\.parquet$")


class Buckets(Value):
    """Some buckets that follow each other.

    Attributes:
        first: The first one.
        end: The one after the last.
    """

    first: int = 0
    end: int = BUCKETS

    @property
    def name(self) -> str:
        """How the names of its files end, before a number for each of several, ``.1``, and the ending."""
        return f"buckets-{self.first:04}-{self.end:04}"

    def meets(self, other: Buckets) -> bool:
        """Whether a bucket is in both."""
        return self.first < other.end and other.first < self.end

    def contains(self, other: Buckets) -> bool:
        """Whether all buckets of another are in this one."""
        return self.first <= other.first and other.end <= self.end

    def rows(self, bucket: pl.Expr) -> pl.Expr:
        """Return which rows are in it."""
        return bucket.is_between(self.first, self.end - 1)


def key_of(contract: DataContract) -> str:
    """Return the column by which rows from outside are put into buckets: the first that none may be without.

    Text and bytes come before numbers and times, of which many rows have the same.
    """
    needed = [field for field in contract.schema if not field.nullable and field.name != contract.partition_by]
    texts = [field for field in needed if pa.types.is_string(field.type) or pa.types.is_binary(field.type)]
    return str((texts or needed)[0].name)


def bucket_of_row(contract: DataContract) -> pl.Expr:
    """Return the bucket of a row from outside, of the columns that are to become the contract's; null without a key."""
    key = key_of(contract)
    is_bytes = pa.types.is_binary(contract.schema.field(key).type)
    return bucket_of(key) if is_bytes else _bucket(plh.concat_str(pl.col(key).cast(pl.String)).nchash.xxhash64())


def bucket_of(column: str) -> pl.Expr:
    """Return the bucket of the text or bytes in ``column``: xxhash64 of them (UTF-8), modulo `BUCKETS`, int32."""
    return _bucket(plh.col(column).nchash.xxhash64())


def _bucket(hashed: pl.Expr) -> pl.Expr:
    return (hashed % BUCKETS).cast(pl.Int32)


def buckets_of(file: str) -> Buckets:
    """Return the buckets that a table's file may hold, by its name: all where it is not named after any."""
    found = _NAMED.search(file)
    return Buckets(first=int(found[1]), end=int(found[2])) if found else Buckets()


def parted(weights: Mapping[Buckets, int], most: int, least: int = 1) -> list[Buckets]:
    """Part all buckets into ranges of about ``most`` at most, along the bounds of what is there.

    Args:
        weights: What is there: what rows of some buckets weigh, ranges may overlap. Within one they are spread evenly.
        most: Of one range; more only where a single bucket holds more.
        least: Number of ranges, where there are so many buckets.
    """
    whole = sum(weights.values())
    most = min(most, max(-(-whole // least), 1))
    bounds = sorted({0, BUCKETS}.union(*((each.first, each.end) for each in weights)))
    pieces = [piece for first, end in pairwise(bounds) for piece in _cut(Buckets(first=first, end=end), weights, most)]
    found: list[Buckets] = []
    held = 0.0
    for piece, weight in pieces:
        if found and held + weight <= most:
            found[-1], held = Buckets(first=found[-1].first, end=piece.end), held + weight
        else:
            found.append(piece)
            held = weight
    return found


def weight_of(span: Buckets, weights: Mapping[Buckets, int]) -> float:
    """Return what the rows of some buckets weigh, those of each range in ``weights`` spread evenly over it."""
    shared = ((max(own.first, span.first), min(own.end, span.end), own, each) for own, each in weights.items())
    return sum(each * (end - first) / (own.end - own.first) for first, end, own, each in shared if first < end)


def _cut(span: Buckets, weights: Mapping[Buckets, int], most: int) -> Iterator[tuple[Buckets, float]]:
    """Cut buckets that no bound parts into pieces of ``most``, each with its weight."""
    width = span.end - span.first
    weight = weight_of(span, weights)
    pieces = min(max(-(-int(weight) // most), 1), width)
    for number in range(pieces):
        first, end = (span.first + width * place // pieces for place in (number, number + 1))
        yield Buckets(first=first, end=end), weight * (end - first) / width


def among(files: Iterable[str], buckets: Buckets) -> list[str]:
    """Return those of a table's files that may hold rows of ``buckets``, sorted."""
    return sorted(file for file in files if buckets_of(file).meets(buckets))
