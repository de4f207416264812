"""What `init` wrote is accepted by the yes to `init`: the person has just seen it, so there is no second question."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mcp_guard.accepting import gate, texts
from mcp_guard.accepting.stacks import Part, absolute
from mcp_guard.cli.setting_up import local_principal
from mcp_guard.record import accepted, place
from mcp_guard.record.acting import acting
from mcp_guard.starting.plan import Change, FileChange, GuardFile

SESSION = "person"


def accept_written(changes: Iterable[FileChange], state: Path) -> list[str]:
    """Accept the guards' files. One that had been edited before, without being accepted, isn't: what was in it then
    would be accepted with it, unseen. Returns a note for each of those.
    """
    wanted: dict[Path, tuple[Part, GuardFile]] = {}
    for each in changes:
        for change in each.changes:
            wanted |= {file.path: (_part(change, file), file) for file in change.files}
    if not wanted:
        return []
    known = gate.accepted_rows(state)
    notes, found = [], []
    for path, (part, file) in wanted.items():
        where = gate.place_of(part, absolute(path))
        before = known.get((where, ""), "")
        if before and file.old is not None and texts.digest_of(file.old) != before:
            notes.append(f"{path} had been changed and waits: look at it with `mcp-guard accept --config FILE`")
            continue
        digest = texts.digest_of(file.new)
        if before != digest:
            one = accepted.Acceptance(part.value, str(path), where, "", digest, accepted.INIT, before)
            found.append((one, file.new))
    if found:
        _write(state, found)
    return notes


def _part(change: Change, file: GuardFile) -> Part:
    return Part.CONFIG if file.path == change.config else Part.POLICY


def _write(state: Path, found: list[tuple[accepted.Acceptance, bytes]]) -> None:
    place.prepare(state)
    for _, data in found:
        texts.keep(state, data)
    with acting(state, SESSION) as record:
        for one, _ in found:
            record.change(lambda moment, one=one: accepted.accept(moment, one, local_principal()))  # type: ignore[misc]
