"""Answers requests: a text in, how it goes on and how likely it is out; or how it goes on, symbol by symbol."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from data_contracts.language.requests import (
    ANSWERS,
    MAX_CHARACTERS,
    MAX_NEW,
    NEW,
    PIECES,
    REQUESTS,
    SEED,
    TEMPERATURE,
)
from data_contracts.language.spelling import code_points, unmarked
from models.language.saying import go_on
from models.language.surprise import surprise
from models.language.weights import load


class LanguagePredictor:
    """See `models.use_case.StreamingPredictor`. Read-only once made.

    Args:
        folder: Of a bundle, verified.

    Raises:
        FileNotFoundError: A file of the bundle is not there.
    """

    request_schema = REQUESTS.schema
    answer_schema = ANSWERS.schema
    piece_schema = PIECES.schema

    def __init__(self, folder: Path) -> None:
        self._network, record = load(folder)
        self._spelling = record.spelling

    def predict(self, requests: pa.Table) -> pa.Table:
        """Answer every row: `data_contracts.language.requests` says what with.

        Raises:
            ValueError: Requests are not to the contract; the message lists every one with its row.
        """
        rows = _rows(requests)
        return pa.Table.from_pylist([self._answer(each) for each in rows], schema=self.answer_schema)

    def stream(self, request: pa.Table) -> Generator[pa.Table, None, None]:
        """Say how the text of one row goes on, symbol by symbol: together what `predict` says.

        Raises:
            ValueError: As `predict`, before the first piece.
        """
        (asked,) = _rows(request)
        for text in self._continuation(**asked):
            yield pa.table([[text]], schema=self.piece_schema)

    def _answer(self, asked: Mapping[str, Any]) -> dict[str, object]:
        text = unmarked(asked["prompt"].encode())
        symbols = self._spelling.numbers(text)
        (nats,) = surprise(self._network, [symbols])
        return {
            "continuation": "".join(self._continuation(**asked)),
            "nats_a_character": nats / max(len(code_points(text)), 1),
            "context": min(self._network.context, len(symbols)),
        }

    def _continuation(
        self, prompt: str, max_new: int | None, temperature: float | None, seed: int | None
    ) -> Iterator[str]:
        said = go_on(
            self._network,
            self._spelling.numbers(unmarked(prompt.encode())).tolist(),
            most=NEW if max_new is None else max_new,
            temperature=TEMPERATURE if temperature is None or math.isnan(temperature) else temperature,
            seed=SEED if seed is None else seed,
        )
        return self._spelling.pieces(said)


def _rows(requests: pa.Table) -> list[dict[str, Any]]:
    """Return a row's columns by name.

    Raises:
        ValueError: See `LanguagePredictor.predict`.
    """
    rows: list[dict[str, Any]] = REQUESTS.filled(requests).to_pylist()
    problems = [f"request {row}: {problem}" for row, one in enumerate(rows) for problem in _problems(**one)]
    problems += [] if problems else _problems_together(rows)
    if problems:
        raise ValueError("; ".join(problems) + ".")
    return rows


def _problems_together(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Say what is too much: one call must not keep the server from others."""
    characters = sum(len(each["prompt"]) for each in rows)
    new = sum(NEW if each["max_new"] is None else each["max_new"] for each in rows)
    if characters > MAX_CHARACTERS:
        yield f"{len(rows):,} prompts have {characters:,} characters together, wanted {MAX_CHARACTERS:,} at most"
    if new > MAX_NEW:
        yield f"{len(rows):,} requests want {new:,} new symbols together, wanted {MAX_NEW:,} at most"


def _problems(prompt: str | None, max_new: int | None, temperature: float | None, seed: int | None) -> Iterator[str]:
    if prompt is None:
        yield "prompt is missing, wanted a text; an empty one begins a new text"
    elif len(prompt) > MAX_CHARACTERS:
        yield f"prompt has {len(prompt):,} characters, wanted {MAX_CHARACTERS:,} at most"
    if max_new is not None and not 0 <= max_new <= MAX_NEW:
        yield f"max_new is {max_new:,}, wanted 0 to {MAX_NEW:,}"
    if temperature is not None and (temperature < 0 or math.isinf(temperature)):
        yield f"temperature is {temperature}, wanted 0 or more"
    if seed is not None and seed < 0:
        yield f"seed is {seed}, wanted 0 or more"
