"""What one task reads of a file: all of it, or a range of its bytes.

What begins inside a range belongs to it. So whoever knows its two ends can read it, and nobody has to look into a file
before it is cut: the ranges of a file are side by side, and have each of its rows once.
"""

from __future__ import annotations

from data_contracts.night import Value
from tasks.ingest.sources import SourceFile


class Piece(Value):
    """A file, or a range of its bytes.

    Attributes:
        file: Of the source.
        start: First byte of the range.
        end: The one after its last; None where it goes on to the file's end.
    """

    file: SourceFile
    start: int = 0
    end: int | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it is all of the file."""
        return self.start == 0 and self.end is None

    def has(self, place: int) -> bool:
        """Whether what begins at a byte of the file belongs to it."""
        return self.start <= place and (self.end is None or place < self.end)
