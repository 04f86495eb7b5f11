"""Prefect flows. Whoever runs one hears what the rooms say, not what every library says, and nobody outside hears."""

import logging
import os

import data_contracts  # noqa: F401  before what is large

HEARTBEAT_SECONDS = 30
"""From one sign of life of a run to the next, Prefect's least. Not in pyproject.toml: a run elsewhere reads none."""

QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "GX_ANALYTICS_ENABLED": "false",
}
for name, value in {**QUIET, "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS)}.items():
    os.environ.setdefault(name, value)

logging.getLogger("tasks").setLevel(logging.INFO)
