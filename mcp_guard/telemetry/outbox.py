"""Finished spans on their way out: a bounded queue, and one thread that empties it. What doesn't fit is counted."""

from __future__ import annotations

import threading
from collections import deque

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from mcp_guard.telemetry.collector import Collector

ROOM = 4096
"""Spans that wait; beyond that, new ones are dropped: a call never waits for room."""
BATCH = 512


class Outbox(SpanProcessor):
    """Takes finished spans, and posts them every few seconds."""

    def __init__(self, collector: Collector, every: float, room: int = ROOM) -> None:
        self._collector = collector
        self._every = every
        self._room = room
        self._waiting: deque[ReadableSpan] = deque()
        self._over = threading.Event()
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)
        self._thread.start()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Nothing to do."""

    def on_end(self, span: ReadableSpan) -> None:
        """A span is finished; it never blocks."""
        if len(self._waiting) >= self._room:
            self.dropped += 1
        else:
            self._waiting.append(span)

    @property
    def lost(self) -> int:
        """Spans that no collector has got: no room, or not delivered."""
        return self.dropped + self._collector.lost

    def shutdown(self) -> None:
        """Send what is left; whoever ends the guard waits a bounded time."""
        self._over.set()
        self._thread.join(timeout=5.0)

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """What waits goes with the next export."""
        return True

    def _run(self) -> None:
        while not self._over.wait(self._every):
            self._empty(most=ROOM // BATCH)
        self._empty(most=1)  # at the end one batch has to do

    def _empty(self, most: int) -> None:
        for _ in range(most):
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            if not batch:
                return
            try:
                body = encode_spans(batch).SerializeToString()
            except Exception:
                self.dropped += len(batch)
                continue
            if not self._collector.post("traces", body, len(batch)):
                return  # it isn't there: what else waits is tried at the next turn
