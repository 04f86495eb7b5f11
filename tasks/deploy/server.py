"""The model server's operations, as `data_contracts.serving` has them.

Errors of this module::

    ServerError
    ├── ServerAbsentError        nobody listens, or it serves no model of this name
    ├── ServerRefusedError       it will not do it (409): a verdict on what was asked; the message is its reason
    └── ServerFailedError        it breaks or stays silent; says nothing about what was asked
        └── ServerForeignError   it is none of ours, or reads another registry
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

import httpx
from pydantic import ValidationError

from data_contracts.serving import OPERATIONS, ServerState, VersionWanted, operations_socket, registry_of
from tasks.deploy.config import ServingConfig


class ServerError(Exception):
    """The model server did not do what was asked."""


class ServerAbsentError(ServerError):
    """Nobody listens, or it serves no model of this name."""


class ServerRefusedError(ServerError):
    """It will not do it, and says why."""


class ServerFailedError(ServerError):
    """It breaks or stays silent; asked again, it may well do it."""


class ServerForeignError(ServerFailedError):
    """It is none of ours, or reads another registry: its version 1 is not ours."""


@dataclass(frozen=True)
class ModelServer:
    """One registered model in a model server.

    Attributes:
        name: Of the registered model.
        tracking_uri: Of the registry that has it, and that the server must read too.
        config: Where the server is.
    """

    name: str
    tracking_uri: str
    config: ServingConfig

    def state(self) -> ServerState:
        """Ask what it holds.

        Raises:
            ServerError: See the module.
        """
        return self._ask("GET", "", None, self.config.answer_seconds)

    def stage(self, wanted: VersionWanted) -> ServerState:
        """Have it load and check a version beside the one served; raises as `state` does."""
        return self._ask("POST", "/stage", wanted, self.config.stage_seconds)

    def switch(self, wanted: VersionWanted) -> ServerState:
        """Have it serve a version that it holds; raises as `state` does, and `ServerFailedError` if it serves another.

        The state returned serves the version wanted, and the bundle if one is named.
        """
        state = self._ask("POST", "/switch", wanted, self.config.answer_seconds)
        if state.served is None or not wanted.is_met_by(state.served):
            raise ServerFailedError(f"the model server at {self.config.rest_url} serves {state.served}, not {wanted}")
        return state

    def renew(self, wanted: VersionWanted) -> ServerState:
        """Have it load the version that it serves anew, and hold no other; raises as `state` does."""
        return self._ask("POST", "/renew", wanted, self.config.stage_seconds)

    def _ask(self, method: str, operation: str, wanted: VersionWanted | None, seconds: float) -> ServerState:
        path = OPERATIONS.format(name=self.name) + operation
        url, body = self.config.rest_url + path, None if wanted is None else wanted.model_dump()
        socket = None if wanted is None else str(operations_socket(int(self.config.rest_url.rpartition(":")[2])))
        try:
            with httpx.Client(transport=httpx.HTTPTransport(uds=socket), trust_env=False, timeout=seconds) as client:
                answer = client.request(method, url, json=body)
        except httpx.ConnectError as error:
            if wanted is None:
                raise ServerAbsentError(f"no model server answers at {self.config.rest_url}") from error
            self.state()
            raise ServerFailedError(
                f"the model server at {self.config.rest_url} answers, but is operated by its own user on its own "
                f"machine only, over {socket}: {error}. Run nights there, as that user; a server of older code is "
                "ended by `make down`."
            ) from error
        except httpx.HTTPError as error:
            raise ServerFailedError(f"the model server at {url} broke off: {error!r}") from error
        if answer.status_code == HTTPStatus.NOT_FOUND and wanted is not None and "has no version" in answer.text:
            raise ServerRefusedError(f"the model server at {self.config.rest_url} refused: {answer.text}")
        if answer.status_code == HTTPStatus.NOT_FOUND:
            raise ServerAbsentError(f"the server at {self.config.rest_url} serves no model {self.name!r}")
        if answer.status_code == HTTPStatus.CONFLICT:
            raise ServerRefusedError(f"the model server at {self.config.rest_url} refused: {answer.text}")
        if answer.status_code != HTTPStatus.OK:
            raise ServerFailedError(f"{url} answers with status {answer.status_code}: {answer.text!r:.200}")
        try:
            state = ServerState.model_validate_json(answer.content)
        except ValidationError as error:
            raise ServerForeignError(f"{url} is no model server of ours: it answers {answer.text!r:.200}") from error
        if state.registry != registry_of(self.tracking_uri):
            raise ServerForeignError(
                f"the model server at {self.config.rest_url} reads the registry {state.registry}, "
                f"wanted {registry_of(self.tracking_uri)}: its versions are others than ours"
            )
        return state
