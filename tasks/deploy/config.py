"""Settings of serving: where the model server is, and how long to wait for it."""

from __future__ import annotations

from pydantic import BaseModel, Field, PositiveFloat


class ServingConfig(BaseModel, frozen=True, extra="forbid"):
    """The model server, as `deploy` and clients find it. `make nightly` and `make up` start it there."""

    rest_url: str = Field(
        "http://127.0.0.1:8080", pattern=r"^http://[^/]+:\d+$", description="REST, as http://host:port."
    )
    grpc_url: str = Field("127.0.0.1:8081", pattern=r"^[^/]+:\d+$", description="gRPC, as host:port.")
    trusted_hosts: tuple[str, ...] = Field(
        ("localhost", "127.0.0.1", "[::1]"),
        description="Names by which REST may be called, those that a gateway passes on too; * takes any.",
    )
    answer_seconds: PositiveFloat = Field(10, description="How long it may take to answer; then it counts as silent.")
    stage_seconds: PositiveFloat = Field(300, description="How long it may take to load and check a version.")
