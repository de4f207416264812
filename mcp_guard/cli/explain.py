"""`mcp-guard explain`: why a call is allowed or refused, by which line, and the smallest change that would allow it.

Starts no server: what a server itself says (its schema, its annotations) isn't looked at. No budget of a session counts
as used; of those that count over sessions it says what is left. A client never learns that. The session is a new one,
with the labels that `--label` gives it.
Where the effects catalogue knows the package that guard.yaml names, its tools are taken to be described as they were
judged, and that is said.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from mcp_guard.accepting import local
from mcp_guard.accepting.stacks import Asked as Named
from mcp_guard.cli.accepting import in_force
from mcp_guard.cli.effects import assumed, offline_origin
from mcp_guard.cli.explain_shown import about, documents_as_json, documents_in_words, nearest_in_words, rules_now
from mcp_guard.cli.setting_up import clock, load_documents, local_principal, parse_settings, protection_of
from mcp_guard.config import load_config
from mcp_guard.errors import InputError, Malformed
from mcp_guard.guard import judge
from mcp_guard.history.sources import Asked, asked_by
from mcp_guard.lock.pins import PinKind
from mcp_guard.lock.servers import Lock
from mcp_guard.lock_file import load_lock
from mcp_guard.model import Admitted, Call, Decision, Described, EffectClass, Json, Origin, Reason, Unit, Usage
from mcp_guard.policy.constraint_words import wants_absolute
from mcp_guard.policy.document import Authority, Document
from mcp_guard.policy.explain import Explanation, explain_call
from mcp_guard.protection import local_resolve
from mcp_guard.record import place
from mcp_guard.record.entries import EntryKind
from mcp_guard.record.query import Row, open_for_reading
from mcp_guard.record.shown import escaped, what
from mcp_guard.refusal import reason_text
from mcp_guard.server_spec import ServerSpec
from mcp_guard.wire import parse_arguments

CONFIG = Path("guard.yaml")
_ENTRY = re.compile(r"[0-9a-f]{8}-[0-9]+")
_COLOURS = {"allow": "green", "ask": "yellow", "deny": "red"}


@dataclass(frozen=True, slots=True)
class OfflineFacts:
    """Facts without a server and without a session: no session's budget is used up; what was seen, and what counts over
    sessions, comes from the record.
    """

    now: datetime
    seen: dict[str, frozenset[str]]
    base: str | None  # where the server's relative paths start
    catalogued: Mapping[tuple[str, str], Described] = field(default_factory=dict)  # by server and tool
    asked: Asked | None = None  # what the documents ask about sources
    lock: Lock | None = None
    exposed: frozenset[str] = frozenset()  # the labels that the session is taken to have

    def used(self, rule: str, account: str = "", seconds: int = 0) -> Usage:
        directory = place.state_directory(None)
        if not account or not place.is_there(directory):
            return Usage()
        with open_for_reading(directory) as query:
            return query.used(account, rule, self.now, seconds)

    def values(self, rule: str, account: str = "", seconds: int = 0) -> Mapping[str, Collection[str]]:
        return {}

    def fingerprint(self, value: Json) -> str:
        return ""

    def resolve(self, path: str) -> str | None:
        return local_resolve(path, self.base)

    def added_effects(self, server: str, tool: str) -> frozenset[EffectClass]:
        return frozenset()

    def described(self, server: str, tool: str) -> Described | None:
        return self.catalogued.get((server, tool))

    def known_at_first_sight(self, server: str, tool: str) -> bool:
        return server not in self.seen or tool in self.seen[server]

    def origins(self, unit: Unit) -> Collection[Origin]:
        """What the documents say themselves: no session, so no results."""
        return self.asked.known.get(unit, ()) if self.asked is not None else ()

    def locked(self, server: str, tool: str) -> bool:
        return self.lock is not None and self.lock.pins(server, PinKind.TOOL, tool)

    def labels(self) -> frozenset[str]:
        return self.exposed

    def admitted(self) -> Admitted:
        return Admitted()


@click.command(epilog="""Example: mcp-guard explain --policy project.yaml files/write_file '{"path": "/etc/hosts"}'""")
@click.option("--config", type=click.Path(path_type=Path), help="Explain under this guard.yaml.")
@click.option("--policy", type=click.Path(path_type=Path), help="Explain under this policy.")
@click.option("--mandate", type=click.Path(path_type=Path), help="And this mandate.")
@click.option("--lock", "lock_file", type=click.Path(path_type=Path), help="And this lock (guard.yaml names its own).")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A variable of the documents.")
@click.option("--accepted", is_flag=True, help="Explain the accepted version instead of the one on disk.")
@click.option("--label", "labels", multiple=True, metavar="LABEL", help="Explain in a session that has this label.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.argument("subject", required=False, metavar="SERVER/TOOL | ENTRY")
@click.argument("arguments", required=False, metavar="JSON")
def explain(
    config: Path | None,
    policy: Path | None,
    mandate: Path | None,
    lock_file: Path | None,
    settings: tuple[str, ...],
    accepted: bool,
    labels: tuple[str, ...],
    as_json: bool,
    subject: str | None,
    arguments: str | None,
) -> int:
    """Say whether a call is allowed, denied or asked about, by which rule in which line, and what would allow it.

    Without JSON, it is the call without arguments, and what the documents say of the tool. With the id of an entry, as
    `mcp-guard log` and refusals show it, say what was decided then, and with `--policy` or `--config` what its rules
    say by now. With neither, say the documents in sentences. Exit
    code 1 when the answer isn't "allowed".
    """
    if subject is not None and _ENTRY.fullmatch(subject) and arguments is None:
        code = _entry(subject, as_json)
        if as_json or (policy is None and config is None):
            return code
    server, slash, tool = (subject or "").partition("/")
    specs: tuple[ServerSpec, ...] = ()
    lock = load_lock(lock_file) if lock_file is not None else None
    variables = parse_settings(settings, Path.cwd())
    alone = mandate is not None and policy is None and config is None and not CONFIG.exists()
    named_config = None if policy or alone else config or CONFIG
    force = in_force(Named(named_config, policy, mandate, lock_file, variables), accepted)
    if policy is None and force is not None and force.config is not None:
        policy, mandate, specs = force.config.policy, mandate or force.config.mandate, force.config.servers
    elif alone:
        click.echo("mcp-guard: there is no guard.yaml here, so this is about the mandate alone", err=True)
    elif policy is None:
        loaded = load_config(config or CONFIG)
        policy, mandate, specs = loaded.policy, mandate or loaded.mandate, loaded.servers
        variables = {**loaded.variables, **variables}
        lock = load_lock(loaded.lock) if lock is None and loaded.lock is not None else lock
    elif policy is not None:
        _say_config(policy, settings, config)
    if force is not None:
        first, second, lock = force.policy, force.mandate, force.lock
    else:
        first, second = load_documents(policy, mandate, variables)
    layers = tuple(document for document in (first, second) if document is not None)
    if subject is not None and _ENTRY.fullmatch(subject) and arguments is None:
        return _rules_now(layers, subject, code)
    if subject is not None and not (server and slash and tool):
        raise InputError(f"`{subject}` is neither SERVER/TOOL nor the id of an entry{_meant(subject, layers, specs)}")
    now = clock()
    directory = place.state_directory(None)
    named = policy or mandate or config or CONFIG
    authority = Authority(layers, now, local.layer(directory, local.place_for(named)))
    if subject is None:
        taken_away = authority.local
        return _documents((*layers, *([taken_away] if taken_away is not None and taken_away.rules else [])), as_json)
    try:
        given = parse_arguments(arguments or "{}")
    except Malformed as error:
        raise InputError(f"the arguments can't be read: {error}; write one JSON object") from None
    call = Call(local_principal(), "tools/call", server, tool, {"name": tool, "arguments": given})
    base = next((spec.cwd for spec in specs if spec.name == server), None)
    seen = _seen(server) if lock is None else _pinned(lock)
    facts = OfflineFacts(now, seen, base, assumed(specs), asked_by(authority), lock, frozenset(labels))
    effects = offline_origin(authority, specs, call, facts)
    own = (config or CONFIG,) if specs else ()
    protection = protection_of(specs, layers, own, place.state_directory(None))
    decision = judge(authority, protection, call, None, facts)
    explanation = explain_call(authority, call, facts, lambda other: judge(authority, protection, other, None, facts))
    said_of_tool = [] if arguments is not None else about(layers, call)
    if as_json:
        shown = explanation.to_dict()
        if decision != explanation.decision:
            shown.update(effect="deny", reason=str(decision.reason), changes=[])
            shown.pop("nearest", None)
        shown["effects"] = effects.to_dict()
        shown["gives"] = sorted(decision.gives)
        if arguments is None:
            shown["about"] = [{"id": rule.ref.id, "file": rule.ref.file, "line": rule.ref.line, "says": text}
                              for rule, text in said_of_tool]  # fmt: skip
        click.echo(json.dumps(shown, indent=2))
    else:
        console = Console(highlight=False, soft_wrap=True)
        for rule, text in said_of_tool:
            console.print(f"{_plain(text)}  [dim]{_plain(f'{rule.ref.file}:{rule.ref.line}:{rule.ref.column}')}[/]")
        if said_of_tool:
            console.print("\nWithout arguments:")
        _show(console, explanation, decision, _absolute(layers, call, base))
        if any(rule.effects for layer in layers for rule in layer.rules):
            console.print(f"\nits effects: {_plain(effects.words)}", style="dim")
        if decision.gives:
            console.print(f"it gives the session the label {_plain(', '.join(sorted(decision.gives)))}", style="dim")
    return 0 if decision.allowed else 1


def _rules_now(layers: Sequence[Document], entry: str, code: int) -> int:
    found = _found(entry)
    for line in rules_now(layers, found.rules if found is not None else ()):
        click.echo(escaped(line))
    return code


def _documents(layers: Sequence[Document], as_json: bool) -> int:
    if not layers:
        raise InputError("there is no policy to explain; name one with `--policy`")
    if as_json:
        click.echo(json.dumps(documents_as_json(layers), indent=2))
    else:
        click.echo("\n".join(documents_in_words(layers)))
    return 0


def _say_config(policy: Path, settings: tuple[str, ...], config: Path | None) -> None:
    """A policy that stands beside its guard.yaml, as `init` writes them, has its `$project` from there."""
    beside = policy.absolute().parent / "guard.yaml"
    if settings or config is not None or not beside.is_file():
        return
    try:
        found = load_config(beside)
    except InputError:
        return  # it isn't asked about
    if found.variables and found.policy is not None and found.policy.resolve() == policy.resolve():
        click.echo(
            f"mcp-guard: {escaped(str(beside))} sets {', '.join(found.variables)} for this policy, which doesn't count "
            "here; to explain under it, write `--config` and its path instead of `--policy`",
            err=True,
        )


def _meant(subject: str, layers: Iterable[Document], specs: Iterable[ServerSpec]) -> str:
    """A name as a client has it (`files__read`), or a tool without its server, in the words of the documents."""
    server, separator, tool = subject.partition("__")
    if server and separator and tool:
        return f"; did you mean `{server}/{tool}`?"
    names = {str(name) for layer in layers for rule in layer.rules for name in rule.names if name.target == subject}
    if not names:
        names = {f"{spec.name}/{subject}" for spec in specs}
    said = " or ".join(f"`{name}`" for name in sorted(names)[:3])
    return f"; did you mean {said}?" if said else ", such as files/write_file"


def _pinned(lock: Lock) -> dict[str, frozenset[str]]:
    """Under a lock, what it has is what a pattern reaches."""
    return {
        name: frozenset(tool for kind, tool in pin.pins if kind is PinKind.TOOL) for name, pin in lock.servers.items()
    }


def _seen(server: str) -> dict[str, frozenset[str]]:
    directory = place.state_directory(None)
    if not place.is_there(directory):
        return {}
    with open_for_reading(directory) as query:
        seen = query.first_seen(server)
    return {} if seen is None else {server: seen}


def _absolute(layers: Iterable[Document], call: Call, base: str | None) -> dict[str, str]:
    """The arguments that are relative paths where a grant of the tool wants a path below a directory, made absolute."""
    found = {}
    for layer in layers:
        for rule in layer.rules:
            limits = rule.arguments if rule.is_grant and rule.may_name(call.server, call.target) else None
            for name, limit in ({**limits.listed, **limits.optional} if limits else {}).items():
                value = call.arguments.get(name)
                if isinstance(value, str) and value and value[0] not in "/~" and wants_absolute(limit.constraint):
                    found[name] = os.path.normpath(Path(base or layer.variables.get("project", ".")) / value)
    return found


def _show(console: Console, explanation: Explanation, decision: Decision, absolute: Mapping[str, str]) -> None:
    effect = decision.effect.name.lower()
    words = {"allow": "allowed", "ask": "asks a person", "deny": "denied"}[effect]
    console.print(f"[bold {_COLOURS[effect]}]{words}[/]  {_plain(explanation.call)}")
    if decision.reason is not None:
        console.print(f"  {decision.reason.value}: {reason_text(decision.reason)}")
    if not explanation.layers:
        console.print("  there is no policy, so nothing is granted; name one with --policy or in guard.yaml")
    for layer in explanation.layers:
        console.print(f"\n{layer.layer} {_plain(layer.file)}: {layer.decision.effect.name.lower()}")
        for said in layer.rules:
            colour = {"allows": "green", "asks": "yellow", "denies": "red"}.get(said.verdict, "dim")
            where = f"{said.rule.file}:{said.rule.line}:{said.rule.column}"
            console.print(
                f"  [{colour}]{_plain(said.rule.shown)} {said.verdict}[/]: {_plain(said.why)}  [dim]{_plain(where)}[/]"
            )
        if not layer.rules:
            console.print("  no rule is about this tool", style="dim")
    for name, origin in explanation.sources.items():
        console.print(f"\n{_plain(name)} comes {_plain(origin)} (without a session, no result counts)")
    if decision.reason is Reason.PROTECTED:
        console.print("\nno document can allow this: the guard's own files and addresses stay closed")
    if decision == explanation.decision and explanation.nearest is not None:
        console.print(f"\n{_plain(nearest_in_words(explanation.nearest))}")
    if decision == explanation.decision and explanation.changes:
        for name, path in absolute.items():
            console.print(f"\nWrite the path absolute: `{_plain(name)}`: {_plain(json.dumps(path))}")
        console.print(
            "\nWhat would allow it as it is, if it should be:"
            if absolute
            else "\nWhat would allow it, if it should be:"
        )
        for change in explanation.changes:
            console.print(f"  {_plain(change.file)}: {_plain(change.words)}")
            if change.line:
                console.print(f"    {_plain(change.line)}", style="cyan")


def _found(entry: str) -> Row | None:
    directory = place.state_directory(None)
    if not place.is_there(directory):
        return None
    with open_for_reading(directory) as query:
        return query.find(entry)


def _entry(entry: str, as_json: bool) -> int:
    """What the record says of one decision."""
    found = _found(entry)
    if found is None:
        raise InputError(f"no entry `{entry}` is in the record; `mcp-guard log` shows the ids")
    if as_json:
        click.echo(json.dumps({"id": found.id, "time": found.time.isoformat(), **found.body}, indent=2))
    else:
        console = Console(highlight=False, soft_wrap=True)
        facts: dict[str, Any] = {
            "when": found.time.astimezone().isoformat(sep=" ", timespec="seconds"),
            "happened": "" if found.kind is EntryKind.DECISION else what(found),
            "who": f"{found.principal} {found.client}",
            "what": f"{found.method} {found.name}",
            "arguments": json.dumps(found.body["shape"]) if "shape" in found.body else "",
            "decision": f"{found.effect} {found.reason}",
            "rules": ", ".join(found.rules),
            "why": found.detail,
            "flagged": "; ".join(found.flags),
            "outcome": found.outcome,
        }
        for name, value in facts.items():
            if str(value).strip():
                console.print(f"[bold]{name}[/]: {_plain(str(value))}")
    return 0 if found.effect == "allow" or found.kind is not EntryKind.DECISION else 1


def _plain(text: str) -> str:
    """Text that may come from a client or a server: it steers neither the terminal nor our markup."""
    return escape(escaped(text))
