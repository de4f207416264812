"""What a person is shown of an open question: one 0600 file a question, gone once it is settled (law 8).

The values of the arguments are in it, since whoever agrees has to see what they agree to. It lies beside the record and
never in it; it is held against the question's digest before it is shown or answered, so that it shows no other.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from mcp_guard.approvals.binding import exact_digest
from mcp_guard.approvals.port import Question
from mcp_guard.errors import GuardError
from mcp_guard.model import Call, Kind
from mcp_guard.policy.approved import call_digest, without_progress
from mcp_guard.record import place
from mcp_guard.wire import parse_arguments, serialize

FOLDER = "asked"
MAX_BYTES = 1 << 20
"""Nobody reads more; a call that needs it can't be asked about."""
NOT_FOLLOWED = "not followed: no rule asks where it comes from"
_ENTRY = re.compile(r"[0-9a-f]{1,16}-[0-9]{1,18}")


class NotThere(GuardError):
    """There is no slip: it was removed, or its guard is about to write it."""


@dataclass(frozen=True, slots=True)
class Slip:
    """A question as a person sees it."""

    call: Call
    shown: Mapping[str, Any]

    def sources(self, argument: str) -> list[str]:
        """Where an argument's value comes from, or each part of it that a rule is about."""
        said = self.shown.get("sources")
        known = said if isinstance(said, Mapping) else {}
        parts = {path: str(text) for path, text in known.items() if path.startswith((f"{argument}[", f"{argument}."))}
        whole = [str(known[argument])] if argument in known else []
        return [*whole, *(f"{path}: {text}" for path, text in parts.items())] or [NOT_FOLLOWED]


def write(directory: Path, question: Question) -> None:
    """Let the slip appear. Raises GuardError if it can't be shown."""
    call = question.call
    said = {
        "principal": call.principal,
        "method": call.method,
        "server": call.server,
        "target": call.target,
        "kind": call.kind.value,
        "params": without_progress(call.params),
        "shown": question.shown,
    }
    text = serialize(said)
    if len(text) > MAX_BYTES:
        raise GuardError("the call is too large to be shown to a person")
    folder = directory / FOLDER
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        place.publish(_path(directory, question.entry), text)  # one that is taken over is there already
    except OSError as error:
        raise GuardError(f"the question can't be written down in `{folder}`") from error


def read(directory: Path, entry: str, digest: str, key: bytes) -> Slip:
    """The slip of a question, if it is about the very call of `digest`. Raises NotThere, or GuardError otherwise."""
    path = _path(directory, entry)
    place.check_file(path)
    try:
        said = parse_arguments(path.read_text("utf-8"))
        call = Call(
            said["principal"], said["method"], said["server"], said["target"], said["params"], Kind(said["kind"])
        )
        exact = exact_digest(call_digest(call), key)
    except FileNotFoundError:
        raise NotThere(f"what `{entry}` is about isn't there any more; it can't be approved unseen") from None
    except (OSError, AttributeError, KeyError, TypeError, ValueError, GuardError) as error:
        raise GuardError(f"`{path}` isn't what the guard wrote; `{entry}` can't be approved unseen") from error
    if not hmac.compare_digest(exact, digest):
        raise GuardError(f"`{path}` shows another call than `{entry}` asks about: somebody changed it; deny it")
    shown = said.get("shown")
    return Slip(call, shown if isinstance(shown, Mapping) else {})


def remove(directory: Path, entries: Iterable[str]) -> None:
    """These are settled: their values go."""
    for entry in entries:
        with contextlib.suppress(OSError, GuardError):
            _path(directory, entry).unlink(missing_ok=True)


def left_over(directory: Path) -> list[str]:
    """The questions that have a slip."""
    with contextlib.suppress(OSError):
        return [name.removesuffix(".json") for name in os.listdir(directory / FOLDER) if name.endswith(".json")]  # noqa: PTH208
    return []


def _path(directory: Path, entry: str) -> Path:
    if not _ENTRY.fullmatch(entry):
        raise GuardError(f"`{entry}` is no question; see `mcp-guard approvals list`")
    return directory / FOLDER / f"{entry}.json"


def as_json(value: Any) -> bytes:
    """A value as it is shown: one line, members in their order."""
    return orjson.dumps(value)
