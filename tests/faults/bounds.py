"""Every bound that a client or a server can run into, with the place in the code that has its value."""

from __future__ import annotations

from dataclasses import dataclass

from mcp_guard import (
    answers,
    asking,
    catalog,
    deliveries,
    downstream,
    health,
    listening,
    listing,
    patience,
    session,
    shown,
    subscriptions,
    wire,
)
from mcp_guard.approvals import asking as approving
from mcp_guard.config import ServerForm
from mcp_guard.translation import as_legacy, held, questions, way
from mcp_guard.transports import (
    http_intake,
    http_link,
    http_link_asides,
    http_link_call,
    http_link_pool,
    http_link_reply,
    http_outbox,
    server_requests,
    spawn,
    stdio_link,
)

FRONT = http_intake.Bounds()


@dataclass(frozen=True)
class Bound:
    """`where` is what `guard.yaml` calls it, if it can be set."""

    what: str
    value: float
    unit: str
    beyond: str
    key: str = ""

    @property
    def shown(self) -> str:
        if self.unit == "bytes":
            size, unit = (self.value / (1 << 20), "MiB") if self.value >= 1 << 20 else (self.value / 1024, "KiB")
            return f"{size:g} {unit}"
        return f"{self.value:,.12g} {self.unit}".strip()


def _default(key: str) -> float:
    value: float = ServerForm.model_fields[key].default
    return value


SEC = "s"
BOUNDS: dict[str, tuple[Bound, ...]] = {
    "Messages": (
        Bound(
            "a line on stdio, a message of a server on HTTP", wire.MAX_LINE, "bytes", "the side that sent it is left"
        ),
        Bound("nesting", wire.MAX_DEPTH, "levels", "no message"),
        Bound("a client's HTTP body", FRONT.body, "bytes", "413"),
        Bound("time for it to come", FRONT.body_seconds, SEC, "408"),
        Bound("an error body of a server on HTTP", http_link_reply.MAX_ERROR_BODY, "bytes", "not read further"),
    ),
    "One client": (
        Bound("requests under way", session.MAX_IN_FLIGHT, "", "an error"),
        Bound("subscriptions", subscriptions.MAX_SUBSCRIPTIONS, "", "refused, `too_many`"),
        Bound("streams of notifications", listening.MAX_STREAMS, "", "refused, `too_many`"),
        Bound("tasks that one of them tells of", listening.MAX_TASKS, "", "refused"),
        Bound(
            "notifications kept for a client on HTTP that doesn't read", http_outbox.MAX_WAITING, "", "oldest dropped"
        ),
        Bound("time for an answer of a person", approving.PATIENCE, SEC, "refused"),
        Bound("the record is busy", patience.DEADLINE, SEC, "refused, `unrecorded`"),
    ),
    "The HTTP front": (
        Bound("sessions (`listen: {sessions: N}`)", FRONT.sessions, "", "503"),
        Bound("requests under way, event streams too (or four times the sessions)", FRONT.requests, "", "503"),
        Bound("an idle session", FRONT.idle, SEC, "it ends"),
        Bound("a call whose client's connection broke", FRONT.reconnection, SEC, "it is cancelled"),
    ),
    "One server": (
        Bound("one call, under `run`", _default("timeout"), SEC, "cancelled there; `unknown`, charged", "timeout"),
        Bound("one client's requests at it at once, under `run`", _default("max_calls"), "", "`too_many`", "max_calls"),
        Bound("a call waits for its start or restart", downstream.OPENING_DEADLINE, SEC, "refused, `unavailable`"),
        Bound("calls and listings that wait so", downstream.MAX_PARKED, "", "refused, `unavailable`"),
        Bound("first pause before a restart, then doubled", downstream.FIRST_BACK_OFF, SEC, ""),
        Bound("longest pause before a restart", downstream.LAST_BACK_OFF, SEC, ""),
        Bound("crashes in a row that make it ill", health.MAX_CRASHES, "", "while it is down, calls don't wait"),
        Bound("time without a crash that ends the row", health.STEADY, SEC, ""),
        Bound("time-outs in a row that make it ill", health.MAX_TIME_OUTS, "", "calls are refused for a while"),
        Bound("that while", health.REST, SEC, "then calls go to it again"),
        Bound("bytes that it leaves unread on stdio", stdio_link.MAX_WAITING, "bytes", "refused, `unavailable`"),
        Bound("time to end by itself, and again after SIGTERM", spawn.GRACE_SECONDS, SEC, "it is killed"),
    ),
    "One server on HTTP": (
        Bound("a connection is made", http_link_pool.CONNECT_DEADLINE, SEC, "refused, `unavailable`"),
        Bound("requests of a session at once", http_link.MAX_OPEN, "", "they queue"),
        Bound("requests that queue", http_link.MAX_QUEUED, "", "refused, `unavailable`"),
        Bound("bytes that it leaves unread", http_link.MAX_WAITING, "bytes", "refused, `unavailable`"),
        Bound("streams taken up again without news", http_link_call.MAX_RESUMES, "", "`unknown`"),
        Bound("notifications that it leaves untaken", http_link_asides.MAX_ASIDES, "", "not sent"),
        Bound("time to take one", http_link_asides.DEADLINE, SEC, "given up"),
    ),
    "A server and a client of different eras": (
        Bound("a server that refused one era answers for the other", way.DEADLINE, SEC, "it speaks neither"),
        Bound("times that one call's client is asked", questions.MAX_ROUNDS, "", "the answer is withheld"),
        Bound("calls that wait for their client's answers", held.MAX_HELD, "", "the server's question is refused"),
        Bound("resources that a modern server tells a legacy client of", as_legacy.MAX_STREAMS, "", "refused"),
        Bound("one that waits", held.HELD_SECONDS, SEC, "cancelled there"),
    ),
    "Listings": (
        Bound("tools, prompts or resources of one server", listing.MAX_ITEMS, "", "none of them is shown; `log` tells"),
        Bound("pages", listing.MAX_PAGES, "", "the same"),
        Bound("bytes of all pages", listing.MAX_SIZE, "bytes", "the same"),
        Bound("several servers' listing waits for the slowest", listing.DEADLINE, SEC, "answered without; told later"),
        Bound("a schema checks one value against subschemas", catalog.MAX_VISITS, "", "the tool is withheld"),
    ),
    "What a server says unasked": (
        Bound("its requests that wait for the client", server_requests.MAX_ASKED, "", "refused"),
        Bound("its requests that one client looks at", asking.MAX_ASKED, "", "refused"),
        Bound("one that the client doesn't answer", asking.DEADLINE, SEC, "refused; taken back"),
        Bound("questions in one answer", answers.MAX_QUESTIONS, "", "the answer is withheld"),
        Bound("text of a question", shown.MAX_MESSAGE, "characters", "not shown"),
        Bound("changes that are told together", deliveries.AFTER, SEC, ""),
        Bound("a list that changes all the time is told of once in", deliveries.LONGEST, SEC, "told then"),
        Bound("different changes that wait", deliveries.MAX_DUE, "", "left out"),
    ),
}
