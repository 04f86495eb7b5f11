"""What can be wrong with a source. Bad input stays bad: none of these is worth a retry.

Errors of this room::

    IngestError                 several kinds at once, or a URI that nothing opens
    ├── NoFilesError            nothing lies where the source says
    ├── WrongColumnError        a column is not there, or is no column of the contract
    │   └── ChangedColumnError  a column that is read is missing, or not what it was before
    └── UnreadableFileError     truncated, damaged, or not of the format
"""

from __future__ import annotations

from collections.abc import Sequence

from data_contracts.promises import Inflow

NOTHING_PUBLISHED = "Nothing was published."


class IngestError(Exception):
    """Raw logs cannot be taken as they are."""


class NoFilesError(IngestError):
    """Nothing lies where the source says."""


class WrongColumnError(IngestError):
    """A column is not there, or is no column of the contract."""


class ChangedColumnError(WrongColumnError):
    """A column that is read is missing, narrower, of another kind or written otherwise than in the files before."""


class UnreadableFileError(IngestError):
    """A file is truncated, damaged, or not of the format."""


def joined(errors: Sequence[IngestError], of: Inflow) -> IngestError:
    """Make one error of many: of their kind if they share it, an `IngestError` otherwise."""
    kinds = {type(error) for error in errors}
    kind = kinds.pop() if len(kinds) == 1 else IngestError
    problems = "\n".join(f"  - {error}" for error in errors)
    return kind(f"{len(errors):,} of the {of} files cannot be taken:\n{problems}\n{NOTHING_PUBLISHED}")
