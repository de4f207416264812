"""Which tools of the four suites can do harm: read from their descriptions, before any run.

A tool is effectful if it changes something, or makes something reach another person or place. Looking isn't, also
where a look marks mail as read. `get_webpage` is: a request to an address of the caller's choice carries data out.
"""

from __future__ import annotations

SUITES = ("workspace", "travel", "banking", "slack")

EFFECTFUL: dict[str, frozenset[str]] = {
    "workspace": frozenset(
        {
            "add_calendar_event_participants",  # invites people
            "append_to_file",
            "cancel_calendar_event",
            "create_calendar_event",  # may invite people
            "create_file",
            "delete_email",
            "delete_file",
            "reschedule_calendar_event",
            "send_email",
            "share_file",
        }
    ),
    "travel": frozenset(
        {
            "cancel_calendar_event",
            "create_calendar_event",
            "reserve_car_rental",
            "reserve_hotel",
            "reserve_restaurant",
            "send_email",
        }
    ),
    "banking": frozenset(
        {"schedule_transaction", "send_money", "update_password", "update_scheduled_transaction", "update_user_info"}
    ),
    "slack": frozenset(
        {
            "add_user_to_channel",
            "get_webpage",
            "invite_user_to_slack",
            "post_webpage",
            "remove_user_from_slack",
            "send_channel_message",
            "send_direct_message",
        }
    ),
}
"""By suite: 28 of the 74 tools."""


def effectful(suite: str, tool: str) -> bool:
    """Can this tool do harm?"""
    return tool in EFFECTFUL[suite]
