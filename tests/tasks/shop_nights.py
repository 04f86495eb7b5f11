"""Two nights of a shop: ``python -m tests.tasks.shop_nights FOLDER ADDRESS [TLS]`` says what they came to."""

from __future__ import annotations

import json
import sys
import zlib
from pathlib import Path

import polars as pl

from data_contracts.night import HeldOut
from tasks.cluster import ClusterConfig, TlsConfig, dask_cluster
from tasks.preprocess.recommender.config import FeatureConfig
from tasks.preprocess.recommender.night import build_night
from tests.tasks.validate.logs import Shop, lines, on_day

TABLES = ("events", "quarantine", "items", "item_counts", "examples", "state")
_OF_A_RUN = ("source_file", "day_ingested")


def nights(folder: Path, address: str, tls: TlsConfig | None = None) -> dict[str, int]:
    """Do both on a running cluster, and return a hash of every table's rows, in whatever order these are."""
    with dask_cluster(ClusterConfig(address=address, tls=tls)) as cluster:
        shop = Shop(folder, cluster)
        for day in range(2):
            shop.write(f"{day}.csv", [*lines(on_day(day)), *lines(on_day(day), 5), f",i,{on_day(day)},1"])
            if day == 0:
                shop.write("before.csv", lines(on_day(-1)))
            held_out = HeldOut(min_targets=1, min_units=1)
            build_night(shop.workspace, shop.night(), held_out, FeatureConfig(), "nightly", cluster)
        rows = {name: pl.DataFrame(shop.table(name).read()) for name in TABLES}
    return {name: _digest(frame.drop(_OF_A_RUN, strict=False)) for name, frame in rows.items()}


def _digest(rows: pl.DataFrame) -> int:
    """Return a number that is the same for the same rows."""
    return sum(zlib.crc32(line.encode()) for line in rows.sort(pl.all()).write_json().split("},{"))


if __name__ == "__main__":
    own = TlsConfig.model_validate_json(sys.argv[3]) if len(sys.argv) > 3 else None
    sys.stdout.write(json.dumps(nights(Path(sys.argv[1]), sys.argv[2], own)))
