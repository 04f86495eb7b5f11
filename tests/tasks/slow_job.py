"""A job for tests that never gets beyond its imports; it says so beside its job.json."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

importing = Path(sys.argv[1]).with_name("importing")
staged = importing.with_name("staged")
staged.write_text(str(os.getpid()))
staged.rename(importing)
time.sleep(60)
