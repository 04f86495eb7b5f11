"""Which of the source's files a night takes: all that no night before it took, whatever days their rows are of."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from data_contracts.source_files import SourceFiles
from tasks.ingest.sources import SourceFile

log = logging.getLogger(__name__)


def unseen_files(files: Sequence[SourceFile], taken: SourceFiles) -> list[SourceFile]:
    """Return the files that no night consumed; of a night that died between its commits only its own.

    Args:
        files: Those that the source has.
        taken: What nights before took, of the same source.
    """
    unseen = taken.unseen(file.transaction for file in files)
    new = [file for file in files if file.transaction in unseen]
    of_begun = taken.begun()
    begun = [file for file in new if file.transaction in of_begun]
    if not begun:
        return new
    log.info("A night died between its commits; it is finished first: %s files.", f"{len(begun):,}")
    return begun
