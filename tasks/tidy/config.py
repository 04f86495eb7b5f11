"""Settings of tidying: what is kept after a good night."""

from __future__ import annotations

from pydantic import BaseModel, Field, PositiveInt


class KeepConfig(BaseModel, frozen=True, extra="forbid"):
    """What is kept of nights gone by. Tables, registered models and Data Docs always are."""

    runs: PositiveInt = Field(3, description="Folders of jobs (checkpoints, logs) kept, the night's own among them.")
