"""Which of the source's files a night takes: all that no night before it took, whatever days their rows are of."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from data_contracts.staging import NIGHT
from data_contracts.table import Table
from tasks.ingest.sources import SourceFile

log = logging.getLogger(__name__)


def unseen_files(files: Sequence[SourceFile], truth: Table, quarantine: Table) -> list[SourceFile]:
    """Return the files that no night consumed; of a night that died between its commits only its own.

    Args:
        files: Those that the source has.
        truth: The table that says what was consumed.
        quarantine: The table that the same night committed to before.
    """
    unseen = truth.unseen(file.transaction for file in files)
    new = [file for file in files if file.transaction in unseen]
    untouched = quarantine.unseen(file.transaction for file in new)
    begun = [file for file in new if file.transaction not in untouched]
    if not begun or quarantine.mark(NIGHT) != truth.next_version():
        return new
    log.info("A night died between its commits; it is finished first: %s files.", f"{len(begun):,}")
    return begun
