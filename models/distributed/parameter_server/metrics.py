"""What a shard has done, for whoever collects metrics: Prometheus' text format, on a port of each process."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from models.distributed.parameter_server.done import Done
from models.distributed.parameter_server.service import ShardService

PREFIX = "nightshift_shard_"
COUNTED = (
    "steps", "pushes", "repeated", "moved", "dropped", "forgotten", "lost", "takeovers", "snapshots",
    "snapshots_failed", "bytes_moved",
)  # fmt: skip


class ShardMetrics(Collector):
    """Counters since the training began, or began anew; ``rate(nightshift_shard_pushes_total[1m])`` is pushes a second.

    Args:
        service: Of the shard's process.
    """

    def __init__(self, service: ShardService) -> None:
        self._service = service

    def collect(self) -> Iterable[Metric]:
        """Ask the shard."""
        shard, done = self._service.shard, self._service.shard.done()
        labels = {"shard": str(shard.shard.rank), "endpoint": self._service.endpoint}
        for name in COUNTED:
            said = Done.model_fields[name].description or name
            counter = CounterMetricFamily(f"{PREFIX}{name}", said, labels=list(labels))
            counter.add_metric(list(labels.values()), getattr(done, name))
            yield counter
        held = GaugeMetricFamily(f"{PREFIX}held_rows", "Rows that take room.", labels=list(labels))
        held.add_metric(list(labels.values()), done.held)
        yield held
        waited = CounterMetricFamily(f"{PREFIX}waited_seconds", "That look-ups waited.", labels=[*labels, "trainer"])
        for trainer, seconds in sorted(done.waited.items()):
            waited.add_metric([*labels.values(), str(trainer)], seconds)
        yield waited
        yield _histogram(done, labels)


def _histogram(done: Done, labels: dict[str, str]) -> HistogramMetricFamily:
    steps = sorted(done.staleness)
    below = list(accumulate(done.staleness[each] for each in steps))
    buckets = [
        *((f"{float(each)}", count) for each, count in zip(steps, below, strict=True)),
        ("+Inf", (below or [0])[-1]),
    ]
    said = "Steps that were missing in what a share of a step had read."
    histogram = HistogramMetricFamily(f"{PREFIX}staleness_steps", said, labels=list(labels))
    whole = sum(each * count for each, count in done.staleness.items())
    histogram.add_metric(list(labels.values()), buckets=buckets, sum_value=whole)
    return histogram


def serve_metrics(service: ShardService, host: str, port: int) -> None:
    """Answer ``GET /metrics``, beside all else.

    Raises:
        OSError: The port is taken.
    """
    registry = CollectorRegistry()
    registry.register(ShardMetrics(service))
    start_http_server(port, addr=host, registry=registry)
