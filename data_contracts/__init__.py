"""What the rooms agree on: tables, settings, results, versions. Every process of the house imports it first."""

import atexit
import gc

gc.set_threshold(50_000)  # Python looks for unreachable objects every 700: a sixth of the time that imports take
atexit.register(gc.freeze)  # and once more, among all of them, when a process ends: two seconds where torch is one
