"""The bundle as MLflow's pyfunc, "models from code": MLflow copies this file beside the bundle and runs it to load."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from data_contracts.bundle import BUNDLE
from models.serving.bundle import open_bundle


class AnsweringModel(PythonModel):
    """Answers requests in any Python process: ``mlflow.pyfunc.load_model(...).predict(frame)``."""

    def load_context(self, context: PythonModelContext) -> None:
        """Verify the bundle, then load it."""
        self._predictor = open_bundle(Path(context.artifacts[BUNDLE]))

    def predict(
        self,
        context: PythonModelContext,  # noqa: ARG002
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> pd.DataFrame:
        """Answer every row; a column that is left out, or a missing value, is a null.

        Raises:
            ValueError: A row is no request, or the frame has no column of one.
        """
        schema = self._predictor.request_schema
        known = set(schema.names) & set(model_input.columns)
        # MLflow drops columns that it does not know, and with the last of them the rows
        count = len(model_input) if known else 1
        columns = [
            pa.Array.from_pandas(model_input[field.name], type=field.type)
            if field.name in known
            else pa.nulls(count, field.type)
            for field in schema
        ]
        return pd.DataFrame(self._predictor.predict(pa.table(columns, schema=schema)).to_pydict())


set_model(AnsweringModel())
