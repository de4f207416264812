"""Where telemetry goes. Imports nothing of OpenTelemetry: guard.yaml is read by guards that have none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mcp_guard.transports.http_link_remote import Remote


@dataclass(frozen=True, slots=True)
class Export:
    """guard.yaml's `telemetry`: one collector that takes OTLP over HTTP."""

    collector: Remote  # its base address, to which `/v1/traces` and `/v1/metrics` are added
    service: str = "mcp-guard"
    every: float = 5.0  # seconds between two exports
    resource: Mapping[str, str] = field(default_factory=dict)  # attributes of the resource, as the operator says
