"""Stage files in a process of their own: ``python -m tests.tasks.ingest.stage_in FILE...``, and say what it took."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from data_contracts.recommender.events import EVENTS
from tasks.ingest.errors import IngestError
from tasks.ingest.sources import list_files
from tests.tasks.ingest.source import at, source_of, stage_file

_FENCE = 8 * 2**30
"""Bytes; whoever takes more fails before the machine does."""


def main(paths: list[str]) -> int:
    """Stage each file, say what became of it, and return the most memory that was in use, in bytes."""
    resource.setrlimit(resource.RLIMIT_DATA, (_FENCE, _FENCE))
    for path in paths:
        (file,) = list_files(path)
        name = Path(path).name.split(".")[1]
        source = source_of(uri=path, format=name)
        try:
            stage_file(file, at(f"{path}.staged"), source, EVENTS)
        except IngestError as error:
            sys.stdout.write(f"{type(error).__name__}\n")
        else:
            sys.stdout.write("staged\n")
    status = Path("/proc/self/status").read_text(encoding="utf-8")  # getrusage counts whoever started this one, too
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


if __name__ == "__main__":
    peak = main(sys.argv[1:])
    sys.stdout.write(f"{peak}\n")
