"""`models.fit`, whose time is up by its processor's clock; notes what `clocked` does."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace

from benchmarks import clocked
from data_contracts.job import FitJob, read
from data_contracts.process import main
from models import steps
from models.fit import fit

if __name__ == "__main__":
    clocked.listen()
    setattr(steps, "time", SimpleNamespace(time=time.process_time))  # noqa: B010, it is no name that others may take
    main(FitJob, fit)
    clocked.leave(read(Path(sys.argv[1]), FitJob), int(os.environ["RANK"]))
