"""Trains on a cluster as a night does, from a process of its own: ``... tests.tasks.train.driver SCHEDULER JOB``."""

from __future__ import annotations

import logging
import sys

from data_contracts.job import FitJob
from flows.ending import ends_when_asked
from tasks.train.gang import fit_on_cluster

if __name__ == "__main__":
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stdout)
    with ends_when_asked():
        fit_on_cluster(sys.argv[1], FitJob.model_validate_json(sys.argv[2]), logging.info)
