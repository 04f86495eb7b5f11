"""Who trains on what tonight, and from where: a decision, with its reason."""

from __future__ import annotations

from pydantic import JsonValue

from data_contracts.bundle import TRAINING
from data_contracts.job import Validation
from data_contracts.night import Night, Value
from data_contracts.version import CANDIDATE
from tasks.champion import Champion

Shape = dict[str, JsonValue]


class Plan(Value):
    """What a training is told.

    Attributes:
        windows: Trained on in full, oldest first.
        replayed: Older ones, of which a part is drawn.
        known: What the model may know at all.
        validation: Which examples decide about early stopping.
        warm: Whether it starts from the champion.
        reason: For people.
    """

    windows: tuple[str, ...]
    replayed: tuple[str, ...] = ()
    known: tuple[str, ...]
    validation: Validation
    warm: bool
    reason: str


def plan_training(
    night: Night, champion: Champion | None, shape: Shape, champion_shape: Shape, *, warm_start: bool
) -> Plan:
    """Decide what the candidate starts from and is trained on. The newest window judges: nobody trains on it.

    Args:
        night: Its windows, oldest first.
        champion: In service now, if any.
        shape: Of the network to train: its settings and its examples' length. The champion's must be equal.
        champion_shape: Of the champion's network; empty without a champion that belongs here.
        warm_start: Whether to start from the champion if possible.

    Raises:
        ValueError: The night holds too few windows to train on one and be judged by another.
    """
    needed = 3 if night.protocol == "leave_one_out" else 2
    if len(night.windows) < needed:
        raise ValueError(
            f"protocol {night.protocol!r} needs {needed} windows, the night has {len(night.windows)}: "
            f"{', '.join(night.windows) or 'none'}. Wait for more rows, or lower held_out.min_targets."
        )
    if night.protocol == "leave_one_out":
        validation = Validation(window=night.windows[-2], whole=True)
        return _cold(night.windows[:-2], validation, "leave_one_out starts from nothing")
    known = night.windows[:-1]
    validation = Validation(window=known[-1])
    obstacle = _obstacle(champion, known[-1], shape, champion_shape, warm_start=warm_start)
    if champion is None or obstacle:
        return _cold(known, validation, obstacle)
    first_new = known.index(champion.trained_through) + 1
    return Plan(
        windows=known[first_new:],
        replayed=known[:first_new],
        known=known,
        validation=validation,
        warm=True,
        reason=f"from version {champion.version}, trained through {champion.trained_through}",
    )


def _cold(windows: tuple[str, ...], validation: Validation, why: str) -> Plan:
    return Plan(windows=windows, known=windows, validation=validation, warm=False, reason=f"from nothing: {why}")


def _obstacle(champion: Champion | None, newest: str, shape: Shape, champion_shape: Shape, *, warm_start: bool) -> str:
    """Say why the candidate cannot start from the champion; nothing when it can."""
    if champion is None or not warm_start:
        return "train.warm_start is false" if champion else "there is no champion"
    name = f"version {champion.version}"
    if champion.stranger or champion.damaged:
        return champion.stranger or champion.damaged
    if champion.forgotten or champion.chosen != CANDIDATE:
        anew = f"{name} is {champion.chosen}, which is made anew every night"
        since = f"{name} learned from people who are forgotten since {champion.forgotten}"
        return since if champion.forgotten else anew
    if champion_shape != shape:
        seen = champion_shape or f"none that this code understands, by {TRAINING} of its bundle"
        return f"{name} has another network: {seen}, wanted {shape}"
    if champion.trained_through == newest:
        return f"{name} was trained through {champion.trained_through} already, nothing is new to it"
    return ""
