"""The stable codes of the record: each kind of entry with a schema of what it says, and an example.

One place: a new kind of entry is added to `EntryKind` and here, and nowhere else. A code keeps its name and meaning; a
member may be added, never renamed. `mcp-guard log schema` prints all of it as one JSON Schema, and docs/record.md lists
it; a test fails on a kind that isn't here, on an example that its schema doesn't take, and on an entry that a guard
writes and no schema takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mcp_guard.model import By, Kind, Outcome, Reason
from mcp_guard.record.entries import EFFECTS, EntryKind

Schema = Mapping[str, Any]

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
HEX: Schema = {"type": "string", "pattern": "^[0-9a-f]+$"}
TEXTS: Schema = {"type": "array", "items": TEXT}
ANY_OBJECT: Schema = {"type": "object"}


def one_of(*texts: str) -> Schema:
    return {"enum": list(texts)}


def an_object(needed: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    """Exactly these members."""
    properties = {**needed, **(optional or {})}
    return {"type": "object", "properties": properties, "required": list(needed), "additionalProperties": False}


def a_list(item: Schema) -> Schema:
    return {"type": "array", "items": item}


HEADS: Schema = {"type": "object", "additionalProperties": {"type": "array", "prefixItems": [COUNT, HEX]}}
CHARGE = an_object(
    {"rule": TEXT, "calls": COUNT, "sums": {"type": "object", "additionalProperties": TEXT}},
    {"account": TEXT, "seconds": COUNT, "values": {"type": "object", "additionalProperties": TEXT}},
)
RULE = an_object({"key": TEXT, "effect": one_of(*EFFECTS.values()), "at": TEXT})
APPROVAL = an_object({"by": TEXT, "answers": TEXT, "asks": TEXTS})
CANDIDATE = an_object({"effect": one_of(*EFFECTS.values()), "reason": TEXT, "rules": TEXTS})
DOCUMENT = an_object({"kind": TEXT, "file": TEXT, "digest": TEXT, "grants": TEXTS})
WITHHELD_TOOL = an_object({"tool": TEXT, "why": TEXT}, {"code": TEXT})
FOUND_THING = an_object({"name": TEXT, "rules": TEXTS})
SERVER = an_object({"server": TEXT}, {"why": TEXT})
TIER: Schema = {"enum": [tier.value for tier in By]}
BOUND: Mapping[str, Schema] = {"session": TEXT, "authority": TEXT, "pin": TEXT, "asks": TEXTS}
CLAUSES = an_object({"call": TEXT, "args": {"type": "object", "additionalProperties": HEX}, "free": TEXTS, "rest": HEX})
QUESTION = an_object({"question": TEXT})
HEXES = a_list(HEX)
HABITS = an_object({}, {"hosts": HEXES, "directories": HEXES, "size": COUNT})

ALWAYS: Mapping[str, Schema] = {
    "kind": TEXT,
    "chain": {"type": "string", "pattern": "^[0-9a-f]{16}$"},
    "seq": COUNT,
    "position": {"type": "integer", "minimum": 1},
    "time": {"type": "string", "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{6}Z$"},
    "session": TEXT,
}
"""What every entry says: its kind, its place, when, and the history that it belongs to."""


@dataclass(frozen=True, slots=True)
class Code:
    """What one kind of entry says beside `ALWAYS`; `data` is short for one member of that name."""

    says: str
    example: Mapping[str, Any]
    needed: Mapping[str, Schema] = field(default_factory=dict)
    optional: Mapping[str, Schema] = field(default_factory=dict)
    data: Schema | None = None

    @property
    def schema(self) -> Schema:
        data = {} if self.data is None else {"data": self.data}
        return an_object({**ALWAYS, **self.needed, **data}, self.optional)


def _entry(kind: EntryKind, **says: Any) -> dict[str, Any]:
    place = {"chain": "3f9a1c2e5b7d8090", "seq": 17, "position": 42, "time": "2026-12-31T12:00:00.000000Z"}
    return {"kind": kind.value, "session": "5e55101a5e55101a", **place, **says}


def _note(kind: EntryKind, **data: Any) -> dict[str, Any]:
    return _entry(kind, data=data)


_ASKED = {"session": "5e55101a5e55101a", "authority": "23" * 32, "pin": "45" * 32, "asks": ["policy/pay"]}
_SHAPE = {"amount": "integer", "recipient": "string 22"}

CODES: dict[EntryKind, Code] = {
    EntryKind.OPENED: Code(
        "A guard process began its chain; the ends of all other chains that nothing had bound are in `heads`.",
        _entry(EntryKind.OPENED, seq=0, version="0.1.0", format=2, heads={"77aa1c2e5b7d8090": [9, "ab" * 32]}),
        {"version": TEXT, "heads": HEADS},
        {"format": COUNT, "before": an_object({"file": TEXT, "position": COUNT, "hash": HEX})},
    ),
    EntryKind.DECISION: Code(
        "A request was judged, or refused before judgement. `shape` and `values` (keyed digests) stand for arguments.",
        _entry(
            EntryKind.DECISION,
            principal="local:me",
            client="assistant 1.2",
            method="tools/call",
            server="bank",
            target="transfer_money",
            target_kind="tool",
            shape=_SHAPE,
            digest="cd" * 32,
            values={"amount": "ef" * 16, "recipient": "01" * 16},
            authority="23" * 32,
            effect="allow",
            rules=[{"key": "policy/pay", "effect": "allow", "at": "policy.yaml:12:5"}],
            gives=["untrusted"],
            charges=[{"rule": "policy/pay", "calls": 1, "sums": {"amount": "50"}}],
            obligations=["redact"],
            flags=["new_host: a host that bank/transfer_money was not used with in 214 calls"],
            habits={"hosts": ["9f86d081884c7d65"], "size": 61},
        ),
        {
            "principal": TEXT,
            "client": TEXT,
            "method": TEXT,
            "server": TEXT,
            "target": TEXT,
            "target_kind": one_of(*Kind),
            "shape": ANY_OBJECT,
            "digest": TEXT,
            "authority": TEXT,
            "effect": one_of(*EFFECTS.values()),
            "rules": a_list(RULE),
        },
        {
            "reason": one_of(*Reason),
            "values": {"type": "object", "additionalProperties": HEX},
            "gives": TEXTS,
            "charges": a_list(CHARGE),
            "approvals": a_list(APPROVAL),
            "obligations": TEXTS,
            "advice": TEXTS,
            "permitted": TEXTS,
            "detail": TEXT,
            "count": COUNT,
            "flags": TEXTS,
            "habits": HABITS,
            "candidate": CANDIDATE,
        },
    ),
    EntryKind.OUTCOME: Code(
        "What became of the allowed call whose decision stands at position `finishes`.",
        _entry(EntryKind.OUTCOME, finishes=41, outcome="ok", duration_us=3120),
        {"finishes": COUNT, "outcome": one_of(*Outcome), "duration_us": COUNT},
        {"refunded": {"const": True}, "note": TEXT},
    ),
    EntryKind.LOADED: Code(
        "Documents bind from here on: files, digests, and the ids of their grants.",
        _note(
            EntryKind.LOADED,
            session="5e55101a5e55101a",
            documents=[{"kind": "policy", "file": "/home/me/policy.yaml", "digest": "45" * 32, "grants": ["pay"]}],
        ),
        data=an_object({"documents": a_list(DOCUMENT), "session": TEXT}, {"beside": HEX}),
    ),
    EntryKind.FIRST_SIGHT: Code(
        "A tool server was seen for the first time: what a pattern in a grant reaches is among the tools it had then.",
        _note(EntryKind.FIRST_SIGHT, server="files:ab12", count=14, sha256="67" * 32),
        data=an_object({"server": TEXT, "count": COUNT, "sha256": HEX}),
    ),
    EntryKind.PINNED: Code(
        "Digests of what a server lists were pinned: at first sight, or since a person `accepted` them.",
        _note(EntryKind.PINNED, server="files:ab12", count=15, accepted=False, sha256="67" * 32),
        data=an_object({"server": TEXT, "count": COUNT, "accepted": {"type": "boolean"}, "sha256": HEX}),
    ),
    EntryKind.FIRST_USE: Code(
        "A mandate was used for the first time by somebody; its durations run from here.",
        _note(EntryKind.FIRST_USE, key="89ab:local:me"),
        data=an_object({"key": TEXT}),
    ),
    EntryKind.SERVER_STARTED: Code(
        "A tool server was started or connected.",
        _note(EntryKind.SERVER_STARTED, server="files", why=""),
        data=SERVER,
    ),
    EntryKind.SERVER_EXITED: Code(
        "A tool server went away, and why as far as it is known.",
        _note(EntryKind.SERVER_EXITED, server="files", why="it ended with code 1"),
        data=SERVER,
    ),
    EntryKind.SERVER_ILL: Code(
        "A tool server ended or kept silent so often in a row that calls to it are refused at once.",
        _note(EntryKind.SERVER_ILL, server="files", why="it ended 3 times in a row"),
        data=SERVER,
    ),
    EntryKind.SERVER_WELL: Code(
        "A tool server that was ill answers again.",
        _note(EntryKind.SERVER_WELL, server="files", why=""),
        data=SERVER,
    ),
    EntryKind.SIGHTED: Code(
        "Values were seen in a result, or carried by a call: their number, and the digest of the rows that say which.",
        _entry(EntryKind.SIGHTED, call=41, rows=3, carried=False, sha256="9a" * 32, dropped=[12]),
        {"call": COUNT, "rows": COUNT, "carried": {"type": "boolean"}, "sha256": HEX},
        {"dropped": a_list(COUNT)},
    ),
    EntryKind.WITHHELD: Code(
        "Tools that the client isn't shown for a reason that lies in the server's listing.",
        _note(EntryKind.WITHHELD, server="files", tools=[{"tool": "read", "why": "two tools have this name"}]),
        data=an_object({"server": TEXT, "tools": a_list(WITHHELD_TOOL)}),
    ),
    EntryKind.EXPOSED: Code(
        "A server said something beside its tools' answers, which gave the session labels.",
        _note(EntryKind.EXPOSED, server="web", labels=["untrusted"], why="message"),
        data=an_object({"server": TEXT, "labels": TEXTS, "why": TEXT}),
    ),
    EntryKind.LABELS_CLEARED: Code(
        "A person took the session's labels away.",
        _note(EntryKind.LABELS_CLEARED, by="local:me", labels=["untrusted"]),
        data=an_object({"by": TEXT, "labels": TEXTS}),
    ),
    EntryKind.SESSION_RENEWED: Code(
        "A person began a new history for the next start of the session `base`; `times`: how often by now.",
        _note(EntryKind.SESSION_RENEWED, by="local:me", base="5e55101a5e55101a", times=1),
        data=an_object({"by": TEXT, "base": TEXT, "times": COUNT}),
    ),
    EntryKind.RELEASED: Code(
        "A person released the answer to the call of `entry`, which was held; `digest` is keyed, of what was held.",
        _note(EntryKind.RELEASED, entry="3f9a1c2e-17", digest="89" * 32),
        data=an_object({"entry": TEXT, "digest": HEX}),
    ),
    EntryKind.STOPPED: Code(
        "The guard process ended in good order; a chain without it was cut short (killed, or the power failed).",
        _note(EntryKind.STOPPED),
        data=an_object({}),
    ),
    EntryKind.CHECKPOINT: Code(
        "The ends of all chains that nothing had bound, its own included, signed: everything before is signed for.",
        _entry(EntryKind.CHECKPOINT, heads={"3f9a1c2e5b7d8090": [16, "ab" * 32]}, key="cd" * 32, signature="ef" * 64),
        {"heads": HEADS, "key": HEX, "signature": HEX},
    ),
    EntryKind.RETIRED: Code(
        "Closed files of the record that are older than the retention are about to be removed.",
        _note(EntryKind.RETIRED, files=["guard-1-90210.db"]),
        data=an_object({"files": TEXTS}),
    ),
    EntryKind.PIN_SET: Code(
        "A person set the PIN, or changed it (`again`).",
        _note(EntryKind.PIN_SET, again=False),
        data=an_object({"again": {"type": "boolean"}}),
    ),
    EntryKind.CLOCK_SET: Code(
        "A person said that the record's times were ahead of the true one; `from` is where time had stood.",
        _note(EntryKind.CLOCK_SET, **{"from": "2099-01-01T00:00:00.000000Z"}),
        data=an_object({"from": TEXT}),
    ),
    EntryKind.ACCEPTED: Code(
        "A file that says what is granted counts from here on with this content; `how` says why it may. `place` is a "
        "digest of its part and path, `context` of the command line for which it was proved narrower, else empty.",
        _note(
            EntryKind.ACCEPTED,
            part="policy",
            file="/home/me/project/policy.yaml",
            place="ab" * 32,
            context="",
            sha256="cd" * 32,
            how="person",
            by="local:me",
        ),
        data=an_object(
            {
                "part": one_of("config", "policy", "mandate", "lock", "local", "token"),
                "file": TEXT,
                "place": HEX,
                "context": {"type": "string", "pattern": "^[0-9a-f]*$"},
                "sha256": {"type": "string", "pattern": "^[0-9a-f]*$"},
                "how": one_of("first_sight", "narrower", "person", "init", "local"),
                "by": TEXT,
            }
        ),
    ),
    EntryKind.REPORTED: Code(
        "A person reported the call of `entry`; `rule` is the deny of exactly such calls that holds from here on.",
        _note(
            EntryKind.REPORTED,
            entry="3f9a1c2e-17",
            server="bank",
            target="transfer_money",
            values={"amount": "ef" * 16, "recipient": "01" * 16},
            rule="reported-3f9a1c2e-17",
            reason="nobody asked for this payment",
            by="local:me",
        ),
        data=an_object(
            {
                "entry": TEXT,
                "server": TEXT,
                "target": TEXT,
                "rule": TEXT,
                "reason": TEXT,
                "by": TEXT,
                "values": {"type": "object", "additionalProperties": HEX},
            }
        ),
    ),
    EntryKind.NOT_IN_FORCE: Code(
        "A running guard found files changed that don't count as they are now; what counted before goes on.",
        _note(EntryKind.NOT_IN_FORCE, files=["/home/me/project/policy.yaml"], why="it isn't proved narrower"),
        data=an_object({"files": TEXTS, "why": TEXT}),
    ),
    EntryKind.REVOKED: Code(
        "A tool, or calls of it with exact values of the arguments `args`, is denied from here on at the `place` of a "
        "policy; `undone`: no longer.",
        _note(
            EntryKind.REVOKED,
            place="ab" * 32,
            rule="local/3",
            tool="mail/send_email",
            args=["to"],
            why="it went to a stranger",
            by="local:me",
            undone=False,
        ),
        data=an_object(
            {
                "place": HEX,
                "rule": TEXT,
                "tool": TEXT,
                "args": TEXTS,
                "why": TEXT,
                "by": TEXT,
                "undone": {"type": "boolean"},
            }
        ),
    ),
    EntryKind.FOUND: Code(
        "The scan found something in what a server would have a model read, and it is shown all the same.",
        _note(EntryKind.FOUND, server="files", found=[{"name": "read", "rules": ["hidden-text"]}]),
        data=an_object({"server": TEXT, "found": a_list(FOUND_THING)}),
    ),
    EntryKind.ASKED: Code(
        "A person is asked about one exact call: by which rules, until when, and who may answer (`tier`, 0 to 2).",
        _note(
            EntryKind.ASKED,
            question="3f9a1c2e-16",
            digest="cd" * 32,
            tier=1,
            asked="2026-12-31T12:00:00.000000Z",
            until="2026-12-31T12:10:00.000000Z",
            **_ASKED,
        ),
        data=an_object({"question": TEXT, **BOUND, "digest": TEXT, "tier": TIER, "asked": TEXT, "until": TEXT}),
    ),
    EntryKind.APPROVED: Code(
        "Somebody said yes to one question (how: `answered_in`, 0 to 2), which is good for one call until `valid`.",
        _note(
            EntryKind.APPROVED,
            question="3f9a1c2e-16",
            by="local:me",
            answered_in=1,
            valid="2026-12-31T12:05:00.000000Z",
        ),
        data=an_object({"question": TEXT, "by": TEXT, "answered_in": TIER, "valid": TEXT}),
    ),
    EntryKind.REFUSED: Code(
        "Somebody said no to one question.",
        _note(EntryKind.REFUSED, question="3f9a1c2e-16", by="local:me"),
        data=an_object({"question": TEXT, "by": TEXT}),
    ),
    EntryKind.LAPSED: Code(
        "Nobody answered a question in time, or nobody used the yes: it is no.",
        _note(EntryKind.LAPSED, question="3f9a1c2e-16"),
        data=QUESTION,
    ),
    EntryKind.WITHDRAWN: Code(
        "Whoever waited for the answer is gone: it is no.",
        _note(EntryKind.WITHDRAWN, question="3f9a1c2e-16"),
        data=QUESTION,
    ),
    EntryKind.STANDING: Code(
        "Somebody answered for the rest of a session, within exact `clauses`, as in the question `like`.",
        _note(
            EntryKind.STANDING,
            standing="3f9a1c2e-16+",
            like="3f9a1c2e-16",
            clauses={"call": "tool tools/call local:me pay", "args": {"to": "01" * 16}, "free": [], "rest": "89" * 32},
            says="yes",
            by="local:me",
            answered_in=1,
            until="2026-12-31T20:00:00.000000Z",
            **_ASKED,
        ),
        data=an_object(
            {
                "standing": TEXT,
                "like": TEXT,
                **BOUND,
                "clauses": CLAUSES,
                "says": one_of("yes", "no"),
                "by": TEXT,
                "answered_in": TIER,
                "until": TEXT,
            }
        ),
    ),
    EntryKind.HALTED: Code(
        "A scope was stopped (a session, a server, an effect, everything), by a person or by too many asks.",
        _note(EntryKind.HALTED, scope="server:files", why="by local:me"),
        data=an_object({"scope": TEXT, "why": TEXT}),
    ),
    EntryKind.RESUMED: Code(
        "A person undid a stop.",
        _note(EntryKind.RESUMED, scope="server:files"),
        data=an_object({"scope": TEXT}),
    ),
}


def json_schema() -> dict[str, Any]:
    """One JSON Schema (2020-12) of all entries, with an example of each kind."""
    kinds = {
        kind.value: {"description": code.says, **_of_kind(kind, code), "examples": [code.example]}
        for kind, code in CODES.items()
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "An entry of mcp_guard's record",
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in kinds],
        "$defs": kinds,
    }


def _of_kind(kind: EntryKind, code: Code) -> dict[str, Any]:
    schema = dict(code.schema)
    return schema | {"properties": {**schema["properties"], "kind": {"const": kind.value}}}


def markdown() -> str:
    """The table of docs/record.md; reasons and outcomes are codes too."""
    lines = ["| kind | what it tells | beside the members that every entry has |", "|---|---|---|"]
    for kind, code in CODES.items():
        members = [f"`{name}`" for name in (*code.needed, *code.optional)]
        members += [f"`data.{name}`" for name in (code.data or {}).get("properties", {})]
        lines.append(f"| `{kind.value}` | {code.says} | {', '.join(members) or 'nothing'} |")
    effects = ", ".join(f"`{effect}`" for effect in EFFECTS.values())
    reasons = ", ".join(f"`{reason}`" for reason in Reason)
    outcomes = ", ".join(f"`{outcome}`" for outcome in Outcome)
    return "\n".join([*lines, "", f"Effects: {effects}.", "", f"Reasons: {reasons}.", "", f"Outcomes: {outcomes}."])
