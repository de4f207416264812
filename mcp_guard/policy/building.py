"""From the checked form of a document to compiled rules: constraints parsed, times read, ids unique."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta, timezone
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from mcp_guard.errors import InputError
from mcp_guard.inspection.obligations import NOTHING
from mcp_guard.model import EVERY_EFFECT, By, Effect, EffectClass, Kind, RuleRef
from mcp_guard.policy.budgets import Budget, Per, Rate
from mcp_guard.policy.canonical import loose
from mcp_guard.policy.constraint_sources import sources_in
from mcp_guard.policy.constraints import ConstraintError, compile_check, parse_constraint
from mcp_guard.policy.form import (
    AskRuleForm,
    DocumentForm,
    GrantForm,
    PolicyForm,
    ResourceForm,
    RuleForm,
    TighteningForm,
    ToolForm,
    WhenForm,
)
from mcp_guard.policy.form_budgets import RATE, SECONDS, BudgetForm, InGroup
from mcp_guard.policy.form_errors import did_you_mean, in_rule
from mcp_guard.policy.names import NamePattern
from mcp_guard.policy.order import After
from mcp_guard.policy.rules import Arguments, Limit, Rule, When
from mcp_guard.policy.times import DAYS, Clock, Window, parse_clock, parse_moment
from mcp_guard.policy.yaml_source import Path, Source, quoted

_EFFECTS = {"grants": Effect.ALLOW, "ask": Effect.ASK, "deny": Effect.DENY}


@dataclass(frozen=True, slots=True)
class Gives:
    """A label that a tool's answers carry, for calls whose arguments aren't a clear no."""

    label: str
    arguments: Arguments | None = None


@dataclass(frozen=True, slots=True)
class ToolFacts:
    """What the operator says of one tool. Without `effect` it has every class (law 4)."""

    effects: frozenset[EffectClass] = EVERY_EFFECT
    authority: tuple[str, ...] = ()
    gives: tuple[Gives, ...] = ()
    labels: frozenset[str] | None = field(init=False, default=None, repr=False)
    """What every call to it gives; None if that depends on the arguments."""

    def __post_init__(self) -> None:
        if all(one.arguments is None for one in self.gives):
            object.__setattr__(self, "labels", frozenset(one.label for one in self.gives))


@dataclass(frozen=True, slots=True)
class Builder:
    """Builds the rules of one document. `variables` are resolved already; errors have the document's places."""

    source: Source
    kind: str
    variables: Mapping[str, str]
    home: str
    groups: Mapping[str, list[str]] = field(default_factory=dict)
    digest: str = ""  # of the document: budgets in a mandate are counted under it
    _seen: dict[str, Path] = field(default_factory=dict)
    _grants: dict[str, str] = field(default_factory=dict)  # what each grant says, by id

    def rules(self, form: DocumentForm) -> tuple[Rule, ...]:
        """All rules, in the order they are written; raises `InputError`."""
        self._grants.update({grant.id: meaning(grant) for grant in form.grants})
        sections: dict[str, list[Any]] = {"grants": form.grants, "ask": form.ask, "deny": form.deny}
        written = sorted(sections, key=lambda name: self.source.place((name,)))
        return tuple(self._rule(rule, (name, i)) for name in written for i, rule in enumerate(sections[name]))

    def tools(self, form: PolicyForm) -> Mapping[str, ToolFacts]:
        """The facts about tools, by exact name."""
        return MappingProxyType(
            {name: self._tool(name, entry) for name, entry in form.tools.items() if not name.endswith("/*")}
        )

    def says(self, form: PolicyForm) -> Mapping[str, frozenset[str]]:
        """The labels of what a server says beside its tools' answers, where an entry `server/*` says it."""
        found: dict[str, frozenset[str]] = {}
        for name, entry in form.tools.items():
            server = name.removesuffix("/*")
            if server == name:
                continue
            at = ("tools", name)
            if not server or any(odd in server for odd in "*$/ ") or not server.isprintable():
                raise self._error(f"{quoted(name)} isn't one server", at, "write `server/*`", key=True)
            if entry.model_fields_set != {"gives"} or any(one.args is not None for one in entry.gives):
                hint = "write only `gives`, a list of labels without `args`; what a tool does stands under its own name"
                raise self._error(f"{quoted(name)} is what a server says beside its answers", at, hint, key=True)
            found[server] = frozenset(one.label for one in entry.gives)
        return MappingProxyType(found)

    def _rule(self, form: RuleForm, path: Path) -> Rule:
        self._once(form.id, path)
        line, column = self.source.place(path)
        section = str(path[0])
        ref = RuleRef(self.kind, form.id, _EFFECTS[section], self.source.file, line, column, _asked_of(form))
        target = self._target(form, path)
        arguments = self._arguments(form, path)
        when = None if form.when is None else _when(form.when, self._principals(form.when, path))
        if not isinstance(form, GrantForm):
            return Rule(
                ref,
                *target,
                arguments=arguments,
                uri=self._uri(form, path),
                when=when,
                advice=form.advice or "",
                deny_secrets=form.deny_secrets,
                after=self._after(form, path),
            )
        return Rule(
            ref,
            *target,
            arguments=arguments,
            uri=self._uri(form, path),
            when=when,
            advice=form.advice or "",
            asks=form.ask is not None,
            budget=None if form.budget is None else self._budget(form.budget, arguments, path),
            until=None if form.until is None else parse_moment(form.until),
            disclose=form.disclose,
            deny_secrets=form.deny_secrets,
            result=form.result or NOTHING,
            after=self._after(form, path),
            once=form.once,
            rate=None if form.rate is None else _rate(form.rate),
        )

    def _after(self, form: RuleForm, path: Path) -> After | None:
        if form.after is None:
            return None
        ids = [name for name in form.after if "/" not in name]
        for name in ids:
            at = (*path, "after", form.after.index(name))
            if name == form.id and isinstance(form, GrantForm):
                raise self._error("this grant would wait for itself", at, "name what has to come first")
            if name not in self._grants:
                hint = did_you_mean(name, self._grants) if self._grants else "name a tool, `server/tool`"
                raise self._error(f"there is no grant {quoted(name)}", at, hint)
        tools = tuple(NamePattern.of(name) for name in dict.fromkeys(form.after) if "/" in name)
        grants = tuple(f"{self.kind}/{name}" for name in dict.fromkeys(ids))
        times = form.times if isinstance(form, TighteningForm) and form.times is not None else 1
        return After(tools, grants, times, tuple(self._grants[name] for name in dict.fromkeys(ids)))

    def _principals(self, form: WhenForm, path: Path) -> tuple[str, ...]:
        """Names and patterns; a group as those who are in it."""
        found: dict[str, None] = {}
        for who in form.principal or ():
            if not isinstance(who, InGroup):
                found[who] = None
                continue
            if who.name not in self.groups:
                said = f"there is no group {quoted(who.name)}"
                hint = did_you_mean(who.name, self.groups) if self.groups else "groups stand at the top of a policy"
                raise self._error(said, (*path, "when", "principal"), hint)
            found |= dict.fromkeys(self.groups[who.name])
        return tuple(found)

    def _once(self, id: str, path: Path) -> None:
        if id in self._seen:
            line = self.source.place(self._seen[id])[0]
            raise self.source.error(
                f"two rules have the id `{id}`", (*path, "id"), f"line {line} has it already; give this one another"
            )
        self._seen[id] = path

    def _target(self, form: RuleForm, path: Path) -> tuple[Kind, tuple[NamePattern, ...], frozenset[EffectClass]]:
        if form.effect is not None:
            return Kind.TOOL, (), frozenset(form.effect)
        if form.resource is not None:
            return Kind.RESOURCE, (_server(form.resource),), frozenset()
        if isinstance(form, GrantForm) and (beyond := form.server_requests or form.extensions) is not None:
            kind = Kind.SERVER_REQUEST if form.server_requests is not None else Kind.EXTENSION
            return kind, tuple(NamePattern.exactly(beyond.server, name) for name in beyond.allow), frozenset()
        kind, names = (Kind.TOOL, form.tool) if form.tool is not None else (Kind.PROMPT, form.prompt)
        if kind is Kind.PROMPT and isinstance(form, GrantForm) and any("*" in name for name in names):
            # A pattern reaches what was there at first sight, which isn't kept of prompts: it would grant nothing.
            raise self._error("a pattern of prompts isn't in this version yet", (*path, "prompt"), "name each prompt")
        return kind, tuple(NamePattern.of(name) for name in names), frozenset()

    def _arguments(self, form: RuleForm, path: Path) -> Arguments | None:
        if form.args is None or form.args == "any":
            return None
        grant = form if isinstance(form, GrantForm) else None
        listed = self._limits(form.args, (*path, "args"), in_grant=grant is not None)
        if grant is None:
            return Arguments(listed)
        optional = self._limits(grant.optional or {}, (*path, "optional"), in_grant=True)
        twice = listed.keys() & optional.keys()
        if twice:
            name = min(twice)
            raise self._error(
                f"argument `{name}` is both in `args` and `optional`", (*path, "optional", name), "keep one"
            )
        return Arguments(listed, optional, grant.others is not None, grant.nulls is not None)

    def _limits(self, written: Mapping[str, Any], path: Path, *, in_grant: bool) -> Mapping[str, Limit]:
        return MappingProxyType(
            {name: self._limit(data, (*path, name), in_grant=in_grant) for name, data in written.items()}
        )

    def _uri(self, form: RuleForm, path: Path) -> Limit | None:
        if form.resource is None or "uri" not in form.resource.model_fields_set:
            return None
        at = (*path, "resource", "uri")
        limit = self._limit(form.resource.uri, at, in_grant=isinstance(form, GrantForm))
        return self._without_sources(limit, at, "what is listed would hang on what was read")

    def _limit(self, data: Any, path: Path, *, in_grant: bool) -> Limit:
        try:
            constraint = parse_constraint(data, in_grant=in_grant, variables=self.variables, home=self.home)
        except ConstraintError as error:
            about_key = bool(error.path) and f"`{error.path[-1]}`" in error.message
            raise self._error(error.message, (*path, *error.path), error.hint, key=about_key) from None
        return Limit(constraint, compile_check(constraint))

    def _budget(self, form: BudgetForm, arguments: Arguments | None, path: Path) -> Budget:
        if form.per == "mandate" and self.kind != "mandate":
            hint = "write session, hour or day; a mandate has budgets of its own"
            raise self._error("`per: mandate` in a policy", (*path, "budget", "per"), hint)
        granted = None if arguments is None or arguments.others else {*arguments.listed, *arguments.optional}
        for key, named in (("sum", form.sum or {}), ("distinct", form.distinct or {})):
            for name in named:
                if granted is not None and name not in granted:
                    said = f"`{key}` names {quoted(name)}, which isn't listed"
                    raise self._error(said, (*path, "budget", key, name), "list it in `args`", key=True)
        sums = {name: Decimal(repr(amount)) for name, amount in (form.sum or {}).items()}
        distinct = MappingProxyType(dict(form.distinct or {}))
        under = self.digest if self.kind == "mandate" else ""
        return Budget(form.calls, MappingProxyType(sums), distinct, Per(form.per), under)

    def _tool(self, name: str, form: ToolForm) -> ToolFacts:
        path = ("tools", name)
        server, _, target = name.partition("/")
        if "*" in name or "$" in name or not server or not target or not name.isprintable() or name != name.strip():
            raise self._error(f"{quoted(name)} isn't one tool", path, "entries are exact `server/tool` names", key=True)
        gives = tuple(
            Gives(
                entry.label,
                None if entry.args in (None, "any") else Arguments(self._given(entry.args, (*path, "gives", i))),
            )
            for i, entry in enumerate(form.gives or ())
        )
        return ToolFacts(frozenset(form.effect or EVERY_EFFECT), tuple(form.authority or ()), gives)

    def _given(self, args: Mapping[str, Any], path: Path) -> Mapping[str, Limit]:
        limits = self._limits(args, (*path, "args"), in_grant=False)
        why = "what a result is worth would hang on earlier ones"
        return {name: self._without_sources(limit, (*path, "args", name), why) for name, limit in limits.items()}

    def _without_sources(self, limit: Limit, path: Path, why: str) -> Limit:
        if any(True for _ in sources_in(limit.constraint)):
            raise self._error("`from` and `not_from` can't stand here", path, why)
        return limit

    def _error(self, message: str, path: Path, hint: str, *, key: bool = False) -> InputError:
        return self.source.error(message + in_rule(self.source, path), path, hint, key=key)


def _asked_of(form: RuleForm) -> By:
    """Who may answer; of a rule that doesn't ask, whatever stands for nothing said."""
    if isinstance(form, GrantForm):
        return By.PERSON if form.ask is None else By[form.ask.by.upper()]
    return By[form.by.upper()] if isinstance(form, AskRuleForm) else By.PERSON


def _server(form: ResourceForm) -> NamePattern:
    return NamePattern(form.server, "", loose(form.server), "")


def _clock(text: str | None) -> Clock | None:
    return None if text is None else parse_clock(text)


def _rate(text: str) -> Rate:
    match = RATE.fullmatch(text)
    assert match is not None  # noqa: S101 - the form was checked
    return Rate(int(match[1]), SECONDS[match[2]])


def _when(form: WhenForm, principals: tuple[str, ...]) -> When:
    written = form.time
    labels = {"labels": tuple(form.labels or ()), "no_labels": tuple(form.no_labels or ())}
    if written is None:
        return When(principals, **labels)
    after = _clock(written.after)
    before = _clock(written.before)
    offset = next((clock.offset for clock in (after, before) if clock is not None and clock.offset), timedelta(0))
    words = " ".join(
        [
            *([f"from {written.after}"] if written.after else []),
            *([f"until {written.before}"] if written.before else []),
            *([f"on {', '.join(written.days)}"] if written.days else []),
        ]
    )
    days = frozenset(DAYS.index(day) for day in written.days or ())
    window = Window(after.at if after else None, before.at if before else None, days, timezone(offset), words)
    return When(principals, window, **labels)


def meaning(form: GrantForm) -> str:
    """What a grant says, without what only people read; the same text says the same."""
    return repr(sorted(form.model_dump(exclude={"advice", "disclose"}, exclude_defaults=True).items()))
