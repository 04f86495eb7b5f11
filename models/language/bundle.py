"""Requests that language is shipped with beside its weights (`models.language.weights`): an example and golden ones."""

from __future__ import annotations

from pathlib import Path
from string import ascii_letters

from data_contracts.job import Config, PublishJob
from models.language.reading import batches, documents
from models.language.weights import load

EXAMPLE_SYMBOLS = 40
"""Of a text that stands in tags and on pages."""
GOLDEN_SYMBOLS = 40
"""Different ones, at most, in texts whose answers are kept."""
GOLDEN_NEW = 10
"""Symbols that the last of these texts is gone on with."""


def example(job: PublishJob) -> Config:
    """Ask how one of the newest documents goes on."""
    pieces = (batch for batch in batches(job.tables, job.known_windows[::-1], ["symbols"]) if batch.num_rows)
    begun = [] if (found := next(pieces, None)) is None else documents(found)[0][:EXAMPLE_SYMBOLS].tolist()
    prompt = load(Path(job.checkpoint)).record.spelling.text(begun)
    return {"prompt": prompt, "max_new": 60, "temperature": 0.5, "seed": 0}


def golden_requests(folder: Path) -> list[dict[str, object]]:
    """Make up texts of characters that are known, and of some that are not: how likely they are, nothing drawn.

    The last one goes on, too: the server's page shows it.
    """
    record = load(folder).record
    known = "".join(record.symbols[:GOLDEN_SYMBOLS] if record.tokens == "characters" else ()) or ascii_letters
    texts = ["", "\u16a0\u4f60", known[:3] * 50, known[::-1], known]
    asked = [{"prompt": text, "max_new": 0, "temperature": 0.0, "seed": 0} for text in texts]
    return [*asked[:-1], asked[-1] | {"max_new": GOLDEN_NEW}]
