"""Cases: calls with what a person expects of them, beside the policy that they are about (`project.cases.yaml`).

`load_cases` is pure: bytes in, a `CaseFile` or an `InputError` with file, line and column out. A case file decides
nothing: no command but `mcp-guard test` reads it. Above: the command. Below: `cases_form.py`; `cases_run.py` plays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType

from pydantic import ValidationError

from mcp_guard.errors import InputError
from mcp_guard.model import EVERY_EFFECT, By, Call, Described, Effect, Json, Kind, Reason
from mcp_guard.policy.canonical import why_not_absolute, why_not_relative
from mcp_guard.policy.cases_errors import first_error, in_case
from mcp_guard.policy.cases_form import CallForm, CaseFileForm, CaseForm
from mcp_guard.policy.document import Document, checked_variables, load_source
from mcp_guard.policy.times import parse_moment
from mcp_guard.policy.yaml_slips import hint_for_empty
from mcp_guard.policy.yaml_source import Path, Place, Source, input_error, quoted, read_yaml

NOW = datetime(2026, 1, 2, 10, 0, tzinfo=UTC)  # a Friday; the time of a case that says none
PRINCIPAL = "local:user"
HOME = "/home/user"  # what `~` means in a case run, whoever runs it

ASKING = {"elicitation": "elicitation/create", "roots": "roots/list", "sampling": "sampling/createMessage"}
"""What a server may ask of the client, as documents call it, and the method that it comes by."""

_VALUES = ("args", "result", "mandate")  # below these, an empty value is a value, or somebody else's to refuse

MAX_CASES = 20_000  # of one file, lists multiplied out
MAX_CALLS = 200_000  # earlier calls of one file, repetitions counted
MAX_CHARACTERS = 50_000_000  # that `long` may make in one file


@dataclass(frozen=True, slots=True)
class Step:
    """An earlier call of the same session. `result` is what the server answered, for rules that go by sources."""

    call: Call
    at: datetime
    times: int = 1
    expect: Effect | None = None
    result: Json = None


@dataclass(frozen=True, slots=True)
class Case:
    """One call with its history and what is expected of it; one session, one principal."""

    why: str
    place: Place
    call: Call
    at: datetime
    expect: Effect
    rule: str | None = None
    reason: Reason | None = None
    before: tuple[Step, ...] = ()
    mandate: str | Document | None = None  # a file beside the case file; once bound, the document
    links: Mapping[str, str] = field(default_factory=dict)  # symbolic links: where, to what
    by: By | None = None  # who is to be asked
    labels: frozenset[str] = frozenset()  # what the session had before its first call
    obligations: tuple[str, ...] | None = None  # what is to be done to the answer, in words; None: it isn't said


@dataclass(frozen=True, slots=True)
class CaseFile:
    """A case file as it is written: `mandates` are the files that its cases name, `inline` those within it."""

    file: str
    variables: Mapping[str, str]
    cases: tuple[Case, ...]
    mandates: Mapping[str, Place]
    inline: Mapping[Place, Source] = field(repr=False)
    described: Mapping[str, Described] = field(default_factory=dict)  # what tools do, by `server/tool`


@dataclass(frozen=True, slots=True)
class Suite:
    """Cases with the document that they are about, and the mandates that some of them add."""

    file: str
    document: Document
    cases: tuple[Case, ...]
    described: Mapping[str, Described] = field(default_factory=dict)

    @property
    def base(self) -> str:
        """Where relative paths start: the project."""
        return self.document.variables.get("project", "/project")

    def layers(self, case: Case, document: Document) -> tuple[Document, ...]:
        """What binds the session of `case`, with `document` in the place of the one that is tested."""
        return (document, case.mandate) if isinstance(case.mandate, Document) else (document,)


def load_cases(data: bytes, file: str) -> CaseFile:
    """Read a case file; raises `InputError`."""
    source = read_yaml(data, file)
    if not isinstance(source.value, dict):
        raise source.error("a case file is a mapping", (), "start with `cases:`")
    _refuse_empty(source, source.value, ())
    try:
        form = CaseFileForm.model_validate(source.value)
    except ValidationError as errors:
        raise first_error(source, errors) from None
    _check_sizes(source, form)
    reader = _Reader(source)
    cases = tuple(case for number, one in enumerate(form.cases) for case in reader.cases(one, ("cases", number)))
    return CaseFile(file, _variables(source, form.set), cases, reader.mandates, reader.inline, _described(form))


def _described(form: CaseFileForm) -> Mapping[str, Described]:
    """What the case file says of tools: what they do, and which labels they give."""
    names = [*form.effects, *form.gives]
    return MappingProxyType(
        {
            name: Described(frozenset(form.effects.get(name, EVERY_EFFECT)), gives=tuple(form.gives.get(name, ())))
            for name in names
        }
    )


def bind(cases: CaseFile, document: Document, mandates: Mapping[str, Document]) -> Suite:
    """The cases with their documents. `mandates`: those that `cases.mandates` names; raises `InputError`."""
    inline: dict[Place, Document] = {}
    for place, source in cases.inline.items():
        inline[place] = load_source(source, kind="mandate", variables=document.variables, home=HOME)
    bound = []
    for case in cases.cases:
        mandate = inline.get(case.place)
        if isinstance(case.mandate, str):
            mandate = mandates.get(case.mandate)
            if mandate is None:
                place = cases.mandates[case.mandate]
                raise input_error(
                    cases.file, f"there is no {quoted(case.mandate)}", place, "name a file beside this one"
                )
        if mandate is not None and document.kind == "mandate":
            raise input_error(
                cases.file, "a case of a mandate can't name another one", case.place, "leave `mandate` out"
            )
        bound.append(replace(case, mandate=mandate))
    return Suite(cases.file, document, tuple(bound), cases.described)


def _refuse_empty(source: Source, value: object, path: Path) -> None:
    """A key without a value reads like an expectation and would be none. Values of a call may be null."""
    if value is None:
        what = quoted(path[-1]) if isinstance(path[-1], str) else "this entry"
        raise source.error(f"{what} is empty{in_case(source, path)}", path, hint_for_empty(path[-1]), key=True)
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for part, inner in parts:
        if part not in _VALUES or (inner is None and part != "result"):
            _refuse_empty(source, inner, (*path, part))


def _check_sizes(source: Source, form: CaseFileForm) -> None:
    """A small file must not make a large run: lists multiply, `times` repeats, `long` makes text."""
    calls = cases = characters = 0
    for number, case in enumerate(form.cases):
        variants = len(case.names) * len(case.args or [{}])
        cases += variants
        calls += variants * sum(step.times for step in case.after or [])
        characters += sum(sum((one.long or {}).values()) for one in (case, *(case.after or [])))
        for count, most, what in (
            (cases, MAX_CASES, "cases"),
            (calls, MAX_CALLS, "earlier calls"),
            (characters, MAX_CHARACTERS, "characters in `long`"),
        ):
            if count > most:
                raise source.error(f"more than {most} {what} up to here", ("cases", number), "split the file")


def _variables(source: Source, written: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in written.items():
        path = ("set", name)
        if name == "project" and why_not_absolute(value):
            hint = "write an absolute path, such as /srv/project: no file is looked at"
            raise source.error(f"`project` can't be {quoted(value)}", path, hint)
        try:
            checked_variables({name: value})
        except InputError:
            hint = "a name has letters, digits and `_`; a value isn't empty, and not `/`"
            raise source.error(f"variable {quoted(name)} can't be {quoted(value)}", path, hint) from None
    return MappingProxyType(dict(written))


class _Reader:
    """Gives checked forms their meaning."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.mandates: dict[str, Place] = {}
        self.inline: dict[Place, Source] = {}

    def cases(self, form: CaseForm, path: Path) -> Iterator[Case]:
        """One case for each call and each set of arguments that it lists."""
        place = self._source.place(path)
        principal = form.principal or PRINCIPAL
        moment = _moment(form.at) or NOW
        steps = self._steps(form, path, principal, moment)
        mandate = self._mandate(form, path, place)
        links = MappingProxyType({_plain(link): _plain(end) for link, end in (form.links or {}).items()})
        calls = list(_calls(form, principal))
        labels = frozenset(form.labels or ())
        by = None if form.by is None else By[form.by.upper()]
        for number, call in enumerate(calls, 1):
            why = form.why if len(calls) == 1 else f"{form.why} ({number} of {len(calls)})"
            labels = frozenset(form.labels or ())
            asked = (by, labels)
            case = Case(why, place, call, moment, form.expect, form.rule, form.reason, steps, mandate, links, *asked)
            yield case if form.obligations is None else replace(case, obligations=tuple(form.obligations))

    def _steps(self, form: CaseForm, path: Path, principal: str, moment: datetime) -> tuple[Step, ...]:
        """A call without a time is made when the next one is: the guard's time doesn't go back."""
        steps: list[Step] = []
        for number, step in reversed(list(enumerate(form.after or []))):
            at = _moment(step.at) or moment
            if at > moment:
                where = (*path, "after", number, "at")
                message = f"an earlier call at a later time{in_case(self._source, path)}"
                raise self._source.error(message, where, "write the calls in the order of their times")
            moment = at
            (call,) = _calls(step, principal)
            steps.append(Step(call, at, step.times, step.expect, step.result))
        return tuple(reversed(steps))

    def _mandate(self, form: CaseForm, path: Path, place: Place) -> str | None:
        if "mandate" not in form.model_fields_set:
            return None
        at = (*path, "mandate")
        if isinstance(form.mandate, dict):
            self.inline[place] = self._source.part(at)
            return None
        if not isinstance(form.mandate, str) or form.mandate == "." or why_not_relative(form.mandate):
            # Nothing above this directory: a case file from somewhere else chooses no file of the person who runs it.
            message = f"a mandate can't be {quoted(form.mandate)}{in_case(self._source, path)}"
            raise self._source.error(message, at, "write the name of a file beside this one, or the mandate itself")
        self.mandates.setdefault(form.mandate, self._source.place(at))
        return form.mandate


def _calls(form: CallForm, principal: str) -> Iterator[Call]:
    if form.resource is not None:
        uri = form.resource.uri
        yield Call(principal, "resources/read", form.resource.server, uri, {"uri": uri}, Kind.RESOURCE)
        return
    if form.server_request is not None or form.extension is not None:
        kind = Kind.SERVER_REQUEST if form.server_request is not None else Kind.EXTENSION
        yield from (named_call(kind, name, principal) for name in form.names)
        return
    kind, method = (Kind.TOOL, "tools/call") if form.call is not None else (Kind.PROMPT, "prompts/get")
    long = {name: "x" * length for name, length in (form.long or {}).items()}
    for name in form.names:
        server, _, target = name.partition("/")
        for arguments in form.args or [{}]:
            yield Call(principal, method, server, target, {"name": target, "arguments": {**arguments, **long}}, kind)


def named_call(kind: Kind, name: str, principal: str) -> Call:
    """What a server asks of the client, or what the guard doesn't know: judged by its name (`server/name`) alone."""
    server, _, target = name.partition("/")
    method = ASKING[target] if kind is Kind.SERVER_REQUEST else target
    return Call(principal, method, server, target, {}, kind)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else parse_moment(text)


def _plain(path: str) -> str:
    return path.rstrip("/") or "/"
