"""From a record and the documents to a suggestion: what `mcp-guard suggest` prints, and others may show."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mcp_guard.cli.report import leads
from mcp_guard.errors import InputError
from mcp_guard.model import Answer, Call, Facts
from mcp_guard.policy.constraints import Constraint, ConstraintError, OneOf, Under, compile_check, parse_constraint
from mcp_guard.policy.decide import decide
from mcp_guard.policy.document import Authority, Document, read_policy
from mcp_guard.policy.rules import Rule
from mcp_guard.policy.yaml_source import read_yaml
from mcp_guard.report.replay import World
from mcp_guard.report.seen import Event, Seen
from mcp_guard.report.slack import Digest
from mcp_guard.suggesting.edits import Edit, Means, edits
from mcp_guard.suggesting.held_out import HeldOut, carries, tried
from mcp_guard.suggesting.observed import Observed, observed, permitted_now, split
from mcp_guard.suggesting.proving import Proved, tightest
from mcp_guard.suggesting.shapes import Written
from mcp_guard.suggesting.writing import document_text


@dataclass(frozen=True, slots=True)
class Present:
    """The policy in force: as it is written, and as it is judged. `beside`: the mandate that binds with it, if any."""

    file: Path
    plain: Mapping[str, Any]
    document: Document
    authority: str  # digest of all that binds

    @classmethod
    def read(cls, file: Path, variables: Mapping[str, str], mandate: Document | None = None) -> Present:
        """Raises InputError."""
        try:
            data = file.read_bytes()
        except OSError as error:
            raise InputError(f"can't read {file}: {(error.strerror or '').lower()}") from None
        document = read_policy(data, file, variables=variables)
        digests = Authority((document,)).digest if mandate is None else ""
        return cls(file, read_yaml(data, str(file)).value, document, digests)

    def load(self, plain: Mapping[str, Any]) -> Document | None:
        """Other values in the place of these; None if they are no document, or can't be written as one."""
        try:
            text = document_text((), plain, ())
            found = read_yaml(text.encode(), str(self.file)).value
            if found != plain:
                return None
            return read_policy(text.encode(), self.file, variables=self.document.variables)
        except (InputError, ValueError):
            return None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What came out, what it rests on, and how it did on calls that it wasn't made from."""

    observed: Observed
    proved: Proved
    held_out: HeldOut
    learned_from: int  # calls that the trial was made from
    slipped: HeldOut = field(default_factory=HeldOut)  # the calls that it was made from: none of them may be refused


def suggestion(
    present: Present,
    events: Iterable[Event],
    digest: Digest | None,
    share: float,
    leads: Callable[[str], str | None] = leads,
) -> Suggestion:
    """The tightest policy, made from all calls; and a trial made from the older ones, on the newest `share` of them.

    `leads`: where a path leads.
    """
    world = World(strict=True, seen=lambda server: None, leads=leads)
    found = observed(events, str(present.file.absolute()), present.authority, permitted(present.document, world))
    found = permitted_now(found, _permits(present.document, world))
    older, newest = split(found, share)
    trial = _tightened(present, older, digest, world) if newest else None
    held = HeldOut() if trial is None else tried(trial.document, older.calls, newest, world)
    proved = _tightened(present, found, digest, world)
    slipped = tried(proved.document, (), found.calls, world)
    spent = {call.entry for call in tried(present.document, (), found.calls, world).refused}  # a budget is lower now
    slipped = replace(slipped, refused=tuple(call for call in slipped.refused if call.entry not in spent))
    return Suggestion(found, proved, held, len(older.calls), slipped)


def _permits(document: Document, facts: Facts) -> Callable[[Seen, str], bool]:
    rules = {rule.key: rule for rule in document.rules if rule.is_grant}
    return lambda call, key: key in rules and carries(rules[key], call, facts) is not False


def left_out_one_by_one(present: Present, found: Observed, digest: Digest | None) -> list[Seen]:
    """The calls that would be refused if the suggestion had been made from all the others: for short records."""
    world = World(strict=True, seen=lambda server: None, leads=leads)
    refused: list[Seen] = []
    for number, call in enumerate(found.calls):
        others = (*found.calls[:number], *found.calls[number + 1 :])
        trial = _tightened(present, replace(found, calls=others), digest, world)
        refused += tried(trial.document, (), (call,), world).refused
    return refused


def _tightened(present: Present, found: Observed, digest: Digest | None, facts: Facts) -> Proved:
    wanted = list(wanted_edits(present, found, digest, facts))
    return tightest(present.plain, present.document, wanted, present.load)


def wanted_edits(present: Present, found: Observed, digest: Digest | None, facts: Facts) -> Iterable[Edit]:
    """Of every grant; one that a person added meanwhile and that nobody used yet stays."""
    rules = {rule.ref.id: rule for rule in present.document.rules if rule.is_grant}
    calls = found.by_grant()
    means = _means(present.document.variables, digest, facts)
    for plain in present.plain.get("grants", []):
        rule: Rule = rules[str(plain["id"])]
        if rule.key not in found.new or rule.key in calls:
            yield from edits(plain, rule, calls.get(rule.key, []), means)


def permitted(document: Document, world: World) -> Callable[[Seen], tuple[str, ...]]:
    """Which grants would carry a call that was denied, by the policy alone, in a session that has met nothing."""
    authority = Authority((document,))

    def grants(seen: Seen) -> tuple[str, ...]:
        server, _, target = seen.name.partition("/")
        call = Call("", "tools/call", server, target, {"name": target, "arguments": dict(seen.known)})
        world.now = seen.time
        decision = decide(authority, call, world)
        return tuple(rule.key for rule in decision.rules) if decision.allowed else ()

    return grants


def _means(variables: Mapping[str, str], digest: Digest | None, facts: Facts) -> Means:
    home = os.path.expanduser("~")  # noqa: PTH111 - as documents are loaded

    def parsed(limit: Any) -> Constraint | None:
        try:
            return parse_constraint(limit, in_grant=True, variables=variables, home=home)
        except ConstraintError:
            return None

    def accepts(limit: Any, value: Any) -> bool:
        constraint = parsed(limit)
        return constraint is not None and compile_check(constraint)(value, facts) is Answer.YES

    def root_of(said: Any) -> str:
        constraint = parsed({"under": said})
        return constraint.root if isinstance(constraint, Under) else ""

    def fits(member: Any, value: Any) -> bool:
        constraint = parsed({"in": [member]})
        return isinstance(constraint, OneOf) and compile_check(constraint)(value, facts) is Answer.YES

    return Means(Written(variables, root_of, fits), accepts, digest)
