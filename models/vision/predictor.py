"""Answers requests: an image in, the most probable classes out. Shape letters: B images, C classes, K answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from data_contracts.contract import SchemaMismatchError
from data_contracts.vision.pictures import NUMBERS, PictureError, Pixels, pixels
from data_contracts.vision.requests import ANSWERS, MAX_K, REQUESTS
from models.vision.weights import ModelRecord, load

IMAGES_AT_ONCE = 64
"""That pass through the network together."""


class VisionPredictor:
    """See `models.use_case.Predictor`. Read-only once made.

    Args:
        folder: Of a bundle, verified.

    Raises:
        FileNotFoundError: A file of the bundle is not there.
    """

    request_schema = REQUESTS.schema
    answer_schema = ANSWERS.schema

    def __init__(self, folder: Path) -> None:
        self._network, self._record = load(folder)
        self._labels = np.array(self._record.labels, dtype=object)

    def predict(self, requests: pa.Table) -> pa.Table:
        """Answer every row: `data_contracts.vision.requests` says what with.

        Raises:
            ValueError: Requests are not to the contract; the message lists every one with its row.
        """
        seen_BHWC = decoded(requests, self._record)
        pieces = [
            self._answer(seen_BHWC[start : start + IMAGES_AT_ONCE])
            for start in range(0, len(seen_BHWC), IMAGES_AT_ONCE)
        ]
        return pa.concat_tables([self.answer_schema.empty_table(), *pieces])

    @torch.inference_mode()
    def _answer(self, pixels_BHWC: Pixels) -> pa.Table:
        probability_BC = self._network(torch.from_numpy(pixels_BHWC)).softmax(dim=1)
        best_BK = probability_BC.topk(min(MAX_K, len(self._labels)))
        labels_BK = self._labels[best_BK.indices.numpy()]
        columns = [labels_BK[:, 0].tolist(), labels_BK.tolist(), best_BK.values.tolist()]
        return pa.table(columns, schema=self.answer_schema)


def decoded(requests: pa.Table, record: ModelRecord) -> Pixels:
    """Return the pixels of every request, or say all that is wrong with them."""
    try:
        images = REQUESTS.conform(requests)["image"]
    except SchemaMismatchError as error:
        raise ValueError(str(error)) from error
    seen: list[Pixels] = []
    problems: list[str] = []
    for row, image in enumerate(images):
        try:
            seen.append(pixels(image.as_py(), size=record.size, channels=record.channels))
        except PictureError as error:
            problems.append(f"request {row}: {error}, wanted a whole picture of one of these kinds")
    if problems:
        raise ValueError("; ".join(problems) + ".")
    return np.stack(seen) if seen else np.empty((0, record.size, record.size, NUMBERS[record.channels]), np.uint8)
