"""Prefect flows. Whoever runs one hears what the rooms say, not what every library says, and nobody outside hears."""

import logging
import os

QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "GX_ANALYTICS_ENABLED": "false",
}
for name, value in QUIET.items():
    os.environ.setdefault(name, value)

logging.getLogger("tasks").setLevel(logging.INFO)
