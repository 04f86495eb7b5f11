"""The model server's operations, as `data_contracts.serving` has them.

Errors of this module::

    ServerError
    ├── ServerAbsentError    nobody listens, or it serves no model of this name
    └── ServerRefusedError   it answers, but not with what was asked; the message is its reason
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

import httpx
from pydantic import ValidationError

from data_contracts.serving import OPERATIONS, ServerState, VersionWanted
from tasks.deploy.config import ServingConfig


class ServerError(Exception):
    """The model server did not do what was asked."""


class ServerAbsentError(ServerError):
    """Nobody listens, or it serves no model of this name."""


class ServerRefusedError(ServerError):
    """It answers, but refuses, breaks or stays silent."""


@dataclass(frozen=True)
class ModelServer:
    """One registered model in a model server.

    Attributes:
        name: Of the registered model.
        config: Where the server is.
    """

    name: str
    config: ServingConfig

    def state(self) -> ServerState:
        """Ask what it holds.

        Raises:
            ServerAbsentError: See the module.
            ServerRefusedError: See the module.
        """
        return self._ask("GET", "", None, self.config.answer_seconds)

    def stage(self, version: str) -> ServerState:
        """Have it load and check a version beside the one served; raises as `state` does."""
        return self._ask("POST", "/stage", VersionWanted(version=version), self.config.stage_seconds)

    def switch(self, version: str) -> ServerState:
        """Have it serve a version that it holds; raises as `state` does."""
        return self._ask("POST", "/switch", VersionWanted(version=version), self.config.answer_seconds)

    def _ask(self, method: str, operation: str, wanted: VersionWanted | None, seconds: float) -> ServerState:
        url = self.config.rest_url + OPERATIONS.format(name=self.name) + operation
        body = None if wanted is None else wanted.model_dump()
        try:
            answer = httpx.request(method, url, json=body, timeout=seconds, trust_env=False)
        except httpx.ConnectError as error:
            raise ServerAbsentError(f"no model server answers at {self.config.rest_url}") from error
        except httpx.HTTPError as error:
            raise ServerRefusedError(f"the model server at {url} broke off: {error!r}") from error
        if answer.status_code == HTTPStatus.NOT_FOUND:
            raise ServerAbsentError(f"the server at {self.config.rest_url} serves no model {self.name!r}")
        if answer.status_code != HTTPStatus.OK:
            raise ServerRefusedError(f"the model server at {self.config.rest_url} refused: {answer.text}")
        try:
            return ServerState.model_validate_json(answer.content)
        except ValidationError as error:
            raise ServerRefusedError(f"{url} is no model server of ours: it answers {answer.text!r:.200}") from error
