"""An OTLP/HTTP collector on loopback that decodes what it gets, by the published protobuf definitions."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue


class Receiver:
    """Takes spans and metrics until it is closed; `answer` is the status that it gives."""

    def __init__(self, answer: int = 200, headers: dict[str, str] | None = None) -> None:
        self.answer = answer
        self.more = headers or {}
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.spans: list[Any] = []
        self.resource: dict[str, Any] = {}
        self.metrics: dict[str, list[tuple[dict[str, Any], float]]] = {}
        self.stalled = threading.Event()  # set: answer; a receiver that is told to stall waits for it
        self.stalled.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Receiver:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stalled.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def took(self, path: str, headers: dict[str, str], body: bytes) -> None:
        self.paths.append(path)
        self.headers.append(headers)
        self.bodies.append(body)
        if path.endswith("/v1/traces"):
            request = ExportTraceServiceRequest.FromString(body)
            for resource in request.resource_spans:
                self.resource = attributes(resource.resource.attributes)
                self.spans += [span for scope in resource.scope_spans for span in scope.spans]
        elif path.endswith("/v1/metrics"):
            for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                for metric in (one for scope in resource.scope_metrics for one in scope.metrics):
                    self.metrics[metric.name] = [_point(one) for one in getattr(metric, _data(metric)).data_points]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.stalled.wait(20)
                receiver.took(self.path, dict(self.headers), body)
                self.send_response(receiver.answer)
                for name, value in receiver.more.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Nothing on stderr."""

        return Handler


def attributes(pairs: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    pair: KeyValue
    for pair in pairs:
        found[pair.key] = _value(pair.value)
    return found


def _value(value: AnyValue) -> Any:
    which = value.WhichOneof("value")
    if which == "array_value":
        return [_value(one) for one in value.array_value.values]
    return getattr(value, which or "string_value")


def _data(metric: Any) -> str:
    return str(metric.WhichOneof("data"))


def _point(point: Any) -> tuple[dict[str, Any], float]:
    if hasattr(point, "count") and not hasattr(point, "as_int"):
        return attributes(point.attributes), float(point.count)
    return attributes(point.attributes), float(getattr(point, point.WhichOneof("value")))
