"""What a shard answers when it cannot do what it is asked.

::

ParameterServerError
├── RefusedError      what was sent is wrong, and was not learned from; every problem is listed
├── OtherEpochError   the shards were placed anew meanwhile: ask where they are now
├── GoneError         the shard, or the way to it, is gone: ask where it is now
├── BrokenError       it has lost what it held, or a part: nobody goes on with it
└── LateError         what was waited for did not come in time
"""

from __future__ import annotations


class ParameterServerError(Exception):
    """A shard could not do what it was asked."""


class RefusedError(ParameterServerError):
    """What was sent is wrong, and was not learned from."""


class OtherEpochError(ParameterServerError):
    """A message, or the shard that it came to, is of another placement of shards."""


class GoneError(ParameterServerError):
    """Nobody answers where a shard was."""


class LateError(ParameterServerError):
    """What was waited for did not come in time."""


class NotFiniteError(RefusedError):
    """A gradient is no number."""


class NoRoomError(ParameterServerError, MemoryError):
    """A shard's memory is full."""


class BrokenError(ParameterServerError):
    """A shard has lost what it held, or learned a step in part: it does nothing any more until a training begins."""
