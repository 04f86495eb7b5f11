"""No word of a use case stands in a general room: ``python -m tests.words``, part of ``make check``.

An arrow of imports is seen by import-linter; a column called by its name, or a shape that is silently assumed, is not.
"""

from __future__ import annotations

import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("flows", "tasks", "models", "data_contracts")
WORDS = {
    "recommender": r"recommend\w*|(user|item)_id\w*|items?|histor(y|ies)|"
    r"popularity|markov|sasrec|hstu|ndcg\w*|baskets?",
    "risk": r"risk\w*|(from|to|counter)?_?part(y|ies)|fraud\w*|amounts?|boosting|lightgbm|logistic",
    "language": r"written_at|n_?grams?|subwords?|(one|five)_gram|nats_a_character|tiny_shakespeare",
    "medical": r"medical|saliency|pneumonia|hospitals?|patients",
    "speech": r"speech|speakers?|spoken_at|recordings?|transcri\w+|log_mel|word_error_rate",
    "vision": r"vision|images?|pixels?|pngs?|jpe?g|pillow|seen_at|class_number|majority",
}
"""Use case, called as its folders, to the words of its own."""
MAY = {
    "data_contracts/evidence.py": {"image"},  # one of what may be judged
    "data_contracts/night.py": {"images"},
    "data_contracts/use_cases.py": {"recommender"},  # the example of how a name becomes modules
    "flows/kubernetes.py": {"image"},  # of a container
    "flows/own.py": {"recommender"},  # the default
    "flows/place.py": {"image"},
    "flows/pods.py": {"image"},
    "tasks/evaluate/pictures.py": {"image", "png"},  # what pictures of the evidence are
    "tasks/ingest/config.py": {"item"},  # examples of what a setting may hold
    "tasks/ingest/config_columns.py": {"user_id", "items"},
    "tasks/ingest/json_path.py": {"items"},
}
"""Module to the words that it may have all the same."""
SPOKEN = {"items", "item", "history"}
"""Words that Python's own methods have too."""


def found() -> Iterator[str]:
    """Yield where a word stands that should not."""
    for file in sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        name = file.relative_to(ROOT).as_posix()
        if not any(use_case in Path(name).parts for use_case in WORDS):
            yield from _in(file, name)


def _in(file: Path, name: str) -> Iterator[str]:
    before = ""
    with file.open("rb") as lines:
        for token in tokenize.tokenize(lines.readline):
            if token.type in {tokenize.NAME, tokenize.STRING, tokenize.COMMENT}:
                for use_case, words in WORDS.items():
                    for word in re.finditer(rf"(?<![A-Za-z_])({words})(?![A-Za-z_])", token.string, re.IGNORECASE):
                        is_method = before == "." and token.string in SPOKEN
                        if not is_method and word[0].lower() not in MAY.get(name, set()):
                            yield f"{name}:{token.start[0]}: {word[0]!r} is a word of {use_case!r}"
            before = token.string


if __name__ == "__main__":
    problems = list(found())
    if problems:
        sys.exit("\n".join([*problems, "Ask what the use case declares instead: docs/adding-a-use-case.md."]))
