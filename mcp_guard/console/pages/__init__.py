"""The pages, and the addresses that they and their acts have."""

from __future__ import annotations

from dataclasses import dataclass

from mcp_guard.console import revoking
from mcp_guard.console.pages import authority, log, now, questions, report, servers
from mcp_guard.console.room import Act, Show


@dataclass(frozen=True, slots=True)
class Way:
    """One address: what is shown there, or what a form sent there does."""

    path: str
    show: Show | None = None
    act: Act | None = None


PAGES = (
    Way("/authority", authority.show),
    Way("/authority/revoke", act=revoking.revoke),
    Way("/authority/undo", act=revoking.undo),
    Way("/now", now.show),
    Way("/now/stop", act=now.stop),
    Way("/now/resume", act=now.resume),
    Way("/approvals", questions.show),
    Way("/approvals/{entry}", questions.one),
    Way("/approvals/{entry}/approve", act=questions.approve),
    Way("/approvals/{entry}/deny", act=questions.deny),
    Way("/log", log.show),
    Way("/log/{entry}", log.one),
    Way("/servers", servers.show),
    Way("/report", report.show),
)

WAYS = (
    ("/authority", "Authority"),
    ("/now", "Now"),
    ("/approvals", "Approvals"),
    ("/log", "Log"),
    ("/servers", "Servers"),
    ("/report", "Report"),
)
"""The pages that each page leads to."""

STARTS_AT = "/now"
