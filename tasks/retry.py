"""What is worth another try. Knows no Prefect but its types."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from tasks.full_disk import for_want_of_space

if TYPE_CHECKING:
    from prefect import Task
    from prefect.client.schemas.objects import State, TaskRun


def unless(*errors: type[Exception]) -> Callable[[Task[..., Any], TaskRun, State[Any]], Awaitable[bool]]:
    """Return a task's condition of another try: anything may pass, a lost worker say, but not a full disk.

    Args:
        errors: That do not pass either: bad data stays bad.
    """

    async def may_pass(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:  # noqa: ARG001
        error = await state.aresult(raise_on_failure=False)
        return not isinstance(error, errors) and not for_want_of_space(error)

    return may_pass
