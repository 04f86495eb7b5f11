"""How documents become what is learned from."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, Field, model_validator

from data_contracts.language.symbols import MAX_SYMBOLS

Tokens = Literal["characters", "bytes", "subwords"]
VOCABULARY = 4_000
"""Subwords, where nobody says how many."""


class FeatureConfig(BaseModel, frozen=True, extra="forbid"):
    """What the tables are made with. Fixed by the first night; another choice needs tables of its own."""

    tokens: Tokens = Field(
        "characters",
        description="What is said one after another: `characters`, which get numbers as they are met, or the `bytes` "
        "of UTF-8, of which there are 256 in every language, or `subwords`, bytes that were often side by side in the "
        "first night's texts.",
    )
    vocabulary: int | None = Field(
        None,
        ge=300,
        le=MAX_SYMBOLS,
        description=f"Subwords wanted, 256 bytes among them; {VOCABULARY:,} when left out. Only with `subwords`.",
    )

    @model_validator(mode="before")
    @classmethod
    def _subwords_have_a_vocabulary(cls, told: Any) -> Any:  # noqa: ANN401  # whatever somebody wrote
        if isinstance(told, dict) and told.get("tokens") == "subwords" and told.get("vocabulary") is None:
            return {**told, "vocabulary": VOCABULARY}
        return told

    @model_validator(mode="after")
    def _nothing_else_has_one(self) -> Self:
        if self.vocabulary is not None and self.tokens != "subwords":
            raise ValueError(
                f"vocabulary ({self.vocabulary:,}) is that of subwords, and tokens is {self.tokens!r}. Take "
                "tokens: subwords, or leave it out."
            )
        return self
