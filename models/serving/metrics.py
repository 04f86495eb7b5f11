"""For who collects metrics: how old what is served is, and what is streamed. ``GET /metrics``, Prometheus' format."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from data_contracts.days import start_of
from models.serving.registry import Loaded
from models.serving.versions import Versions

STREAMS_OPEN = Gauge("nightshift_streams_open", "Answers in pieces that are under way.", ["model", "version"])
STREAMS = Counter(
    "nightshift_streams",
    "Answers in pieces: whole, left by whoever asked, or failed by the server's fault.",
    ["model", "version", "ended"],
)
PIECES = Counter("nightshift_stream_pieces", "Pieces handed out.", ["model", "version"])


class Age(Collector):
    """The age of the version served, reckoned when it is asked for; no samples while nothing is served.

    ``nightshift_model_in_service_seconds`` starts anew with the server. ``nightshift_model_data_age_seconds`` counts
    from the end of the last day that the version learned from, whatever was restarted since: the one to alert on.
    """

    def __init__(self, versions: Versions) -> None:
        self._versions = versions

    def collect(self) -> Iterable[Metric]:
        """Reckon both gauges."""
        in_service = GaugeMetricFamily(
            "nightshift_model_in_service_seconds",
            "Since this server put the version in service.",
            labels=["model", "version"],
        )
        data_age = GaugeMetricFamily(
            "nightshift_model_data_age_seconds",
            "Since the end of the last day that the version in service learned from.",
            labels=["model", "version"],
        )
        served, now = self._versions.held.served, datetime.now(UTC)
        if served is not None:
            labels = [self._versions.registry.name, served.version]
            in_service.add_metric(labels, (now - served.since).total_seconds())
            data_age.add_metric(labels, (now - _learned_until(served)).total_seconds())
        return [in_service, data_age]


def _learned_until(served: Loaded) -> datetime:
    return start_of(date.fromisoformat(served.trained_through) + timedelta(days=1), served.day_zone)


def metrics(versions: Versions) -> APIRouter:
    """Build ``GET /metrics``: the age of what is served, what is streamed, and what the process uses."""
    router = APIRouter(tags=["operations"])
    ages = CollectorRegistry()
    ages.register(Age(versions))

    @router.get("/metrics")
    async def scrape() -> Response:
        return Response(generate_latest(ages) + generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)

    return router
