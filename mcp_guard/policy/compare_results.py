"""Could the new documents do less to what a server answers? Proved not, or unknown.

Core. Obligations of all grants that carry a call add up, so one that goes may take its own along although the call is
still permitted by another. What is proved: every grant of the old document that wants something done is there anew,
about the same calls, and wants no less; then whatever carried a call with it still does.
"""

from __future__ import annotations

from mcp_guard.policy.compare_scenes import Layer, Meeting
from mcp_guard.policy.compare_sides import Side

LESS = "answers may be passed on with less done to them (`result`)"


def less_is_done(meeting: Meeting, old: Side, new: Side) -> bool:
    """May less be done to answers of this target? False is a proof."""
    after = dict(zip((one.kind for one in new.layers), meeting.new.layers, strict=True))
    before = zip((one.kind for one in old.layers), meeting.old.layers, strict=True)
    return any(_less(meeting, layer, after.get(kind)) for kind, layer in before)


def _less(meeting: Meeting, old: Layer, new: Layer | None) -> bool:
    wanting = [rule for rule in old.grants if rule.result]
    if not wanting:
        return False
    if new is None:
        return True
    for rule in wanting:
        alike = [one for one in new.grants if one.asks == rule.asks and meeting.content(one) == meeting.content(rule)]
        if not any(one.result.covers(rule.result) for one in alike):
            return True
    # A call that only grants with `ask` carried: one more without `ask` carries it alone, and what they want is lost.
    free = {meeting.content(one) for one in old.grants if not one.asks}
    more = any(not one.asks and meeting.content(one) not in free for one in new.grants)
    return more and any(rule.asks for rule in wanting)
