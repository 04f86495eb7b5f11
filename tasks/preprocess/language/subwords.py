"""Which bytes are merged to subwords: learned once, by the first night, from documents of its past alone.

How many documents there are changes nothing: a part of them is drawn by what they say, so the same rows give the same
subwords, in whatever files they lie.

Source: Sennrich, Haddow and Birch, "Neural machine translation of rare words with subword units", 2016; of bytes,
as in Radford et al., "Language models are unsupervised multitask learners", 2019.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import blake2b
from typing import NamedTuple

from data_contracts.language.spelling import BYTES, byte_pairs
from tasks.preprocess.language.cut import pieces
from tasks.preprocess.plan import Plan

SAMPLE = 2_000_000
"""Characters that are learned from, about: some seconds of English, a minute and 0.7 GiB of random Chinese."""
LEAST = 2
"""How often a pair must be met."""


class Draw(NamedTuple):
    """Which documents of a file are learned from.

    Attributes:
        file: With them.
        plan: Says which days are the past.
        share: Of all documents there, the chance of each.
        day_zone: Zone whose days these are.
    """

    file: str
    plan: Plan
    share: float
    day_zone: str


def drawn(draw: Draw) -> set[bytes]:
    """Return the documents that are learned from: one that is there twice, or in two files, is so once."""
    held_out = draw.plan.window.key
    return {
        text
        for rows in pieces(draw.file, draw.day_zone)
        for text, day in rows.select("text", "day").iter_rows()
        if draw.plan.of(day) != held_out and _place(text) < draw.share
    }


def learn(texts: Iterable[bytes], vocabulary: int) -> list[str]:
    """Return the pairs that are merged, as `data_contracts.language.spelling.Subwords` takes them.

    Args:
        texts: UTF-8; their order does not count.
        vocabulary: Bytes and pairs that are wanted; there are fewer where texts do not have as many.
    """
    from tokenizers.trainers import BpeTrainer

    tokenizer = byte_pairs(BYTES, [])
    trainer = BpeTrainer(vocab_size=vocabulary, min_frequency=LEAST, initial_alphabet=list(BYTES), show_progress=False)
    tokenizer.train_from_iterator((text.decode() for text in sorted(texts)), trainer)
    by_symbol: dict[str, str] = {}
    for left, right in json.loads(tokenizer.to_str())["model"]["merges"]:
        by_symbol.setdefault(left + right, f"{left} {right}")
    return list(by_symbol.values())


def _place(text: bytes) -> float:
    """Return where a text lies between 0 and 1: always there, and anywhere."""
    return int.from_bytes(blake2b(text, digest_size=8).digest()) / 2.0**64
