"""Where pictures were made, as parts of what is judged: so a place at which a network does badly is seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.evidence import Slice
from models.slices import Flags, sliced
from models.vision.metrics import Floats

FEW_SOURCES = 20
"""Up to as many, each is judged by itself."""


def of_sources(of_images: Mapping[str, Mapping[str, Floats]], sources: pa.ChunkedArray) -> dict[str, Slice]:
    """Judge the images of each source by themselves.

    Args:
        of_images: Contestant to metrics of each image, (images,).
        sources: Of these; null where nobody says so.
    """
    return sliced(parts(sources), {name: _means(metrics) for name, metrics in of_images.items()})


def parts(sources: pa.ChunkedArray) -> dict[str, Flags]:
    """Return which images are of each source, (images,): of none, if there is one alone or more than `FEW_SOURCES`."""
    different = sorted(pc.unique(pc.drop_null(sources)).to_pylist())
    if not 1 < len(different) <= FEW_SOURCES:
        return {}
    return {f"source_{name}": pc.equal(sources, name).fill_null(fill_value=False).to_numpy() for name in different}


def _means(of_images: Mapping[str, Floats]) -> Callable[[Flags], dict[str, float]]:
    return lambda chosen: {metric: float(found[chosen].mean()) for metric, found in of_images.items()}
