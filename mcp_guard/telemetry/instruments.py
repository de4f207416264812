"""The metrics: MCP's own duration, and what the guard decided. Names of rules and tools, never of people or values."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    MetricExporter,
    MetricExportResult,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.resources import Resource

from mcp_guard.telemetry.collector import TIMEOUT, Collector


class _ToCollector(MetricExporter):
    """Posts metrics as OTLP."""

    def __init__(self, collector: Collector) -> None:
        super().__init__()
        self._collector = collector

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **_: Any) -> MetricExportResult:
        body = encode_metrics(metrics_data).SerializeToString()
        sent = self._collector.post("metrics", body, 0)
        return MetricExportResult.SUCCESS if sent else MetricExportResult.FAILURE

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return True

    def shutdown(self, timeout_millis: float = 30_000, **_: Any) -> None:
        """There is nothing to close."""


class Instruments:
    """All instruments of one guard process."""

    def __init__(self, collector: Collector, resource: Resource, every: float, lost: Callable[[], int]) -> None:
        reader = PeriodicExportingMetricReader(
            _ToCollector(collector), export_interval_millis=every * 1000, export_timeout_millis=TIMEOUT * 1000
        )
        self._provider = MeterProvider(metric_readers=[reader], resource=resource, shutdown_on_exit=False)
        meter = self._provider.get_meter("mcp_guard")
        self.duration = meter.create_histogram(
            "mcp.server.operation.duration", "s", "From a request's arrival to its answer, the guard's share included."
        )
        self.decisions = meter.create_counter("mcp_guard.decisions", "{decision}", "Decisions, by effect and rule.")
        self.asks = meter.create_counter("mcp_guard.asks", "{ask}", "Calls that a person was to be asked about.")
        self.flags = meter.create_counter("mcp_guard.flags", "{flag}", "Flags of the monitor and of scanners.")
        self.left = meter.create_gauge(
            "mcp_guard.budget.left", "1", "What the latest call left of a grant's budget, in calls or of a sum."
        )

        def told(_: CallbackOptions) -> Iterable[Observation]:
            yield Observation(lost())

        meter.create_observable_counter(
            "mcp_guard.telemetry.lost", [told], "{span}", "Spans that were dropped or could not be delivered."
        )

    def close(self) -> None:
        """Export once more, for a bounded time."""
        self._provider.shutdown(timeout_millis=5000)
