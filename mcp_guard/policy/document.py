"""A policy or a mandate, loaded and checked, and the authority that several of them make.

`load_text` is pure: bytes in, a `Document` or an `InputError` with file, line and column out. `load_policy` and
`load_mandate` read a file and call it. Above: the command line and the configuration. Below: YAML, form, rules.
"""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from pydantic import ValidationError

from mcp_guard.errors import InputError
from mcp_guard.model import Effect
from mcp_guard.policy.building import Builder, ToolFacts
from mcp_guard.policy.form import DocumentForm, MandateForm, PolicyForm
from mcp_guard.policy.form_errors import first_error, in_rule
from mcp_guard.policy.index import Index
from mcp_guard.policy.rules import Rule
from mcp_guard.policy.times import parse_moment, parse_span
from mcp_guard.policy.yaml_slips import hint_for_empty
from mcp_guard.policy.yaml_source import MAX_BYTES, Place, Source, quoted, read_yaml
from mcp_guard.wire import digest

DocumentKind = Literal["policy", "mandate", "local"]
"""`local`: denies that the guard's own tools wrote down on this machine (`accepting/local.py`)."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_USED = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
_CONSTRAINTS = ("args", "optional", "uri")  # below these, an empty value is the constraint parser's business


@dataclass(frozen=True, slots=True)
class Document:
    """One loaded document."""

    file: str
    digest: str  # sha256, hex, of what it says: content, and the values of the variables it uses
    kind: DocumentKind
    rules: tuple[Rule, ...]
    tools: Mapping[str, ToolFacts] = field(default_factory=dict)
    expires: timedelta | datetime | None = None  # mandates only: a span runs from when the authority was bound
    task: str = ""
    says: Mapping[str, frozenset[str]] = field(default_factory=dict)  # labels of what servers say beside answers
    variables: Mapping[str, str] = field(default_factory=dict)  # what a mandate beside this policy may use too
    places: Mapping[tuple[str, ...], Place] = field(default_factory=dict, compare=False, repr=False)  # beside the rules
    needs_mandate: bool = False  # policies only: alone it permits nothing
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # policies only: principals, by their group
    index: Index = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", Index(self.rules))


@dataclass(frozen=True, slots=True)
class Authority:
    """The documents that bind a session, policy first. Every one of them must agree; of none, nothing is allowed.

    `started` is when the mandate was given: an `expires` that is a span runs from there. Beside the stack stands what
    only takes away: `local` denies, and servers of which nothing is granted any more. Neither is part of `digest`:
    what was settled under the documents is judged again anyway, and a deny beats it.
    """

    layers: tuple[Document, ...]
    started: datetime | None = None
    local: Document | None = None  # has nothing but denies
    without: frozenset[str] = frozenset()  # servers
    tools: Mapping[str, ToolFacts] = field(init=False)
    says: Mapping[str, frozenset[str]] = field(init=False)  # labels of what servers say beside answers, where said
    deadlines: tuple[datetime | None, ...] = field(init=False)
    digest: str = field(init=False)  # of all that the layers say
    lacks_mandate: bool = field(init=False)  # the policy permits nothing without one, and there is none

    def __post_init__(self) -> None:
        kinds = [layer.kind for layer in self.layers]
        if kinds not in ([], ["policy"], ["mandate"], ["policy", "mandate"]):
            raise ValueError(f"an authority is a policy, then a mandate, not {kinds}")
        if self.local is not None and any(rule.ref.effect is not Effect.DENY for rule in self.local.rules):
            raise ValueError("a local layer has nothing but denies")
        policy = self.layers[0] if self.layers and self.layers[0].kind == "policy" else None
        object.__setattr__(self, "tools", policy.tools if policy else {})
        object.__setattr__(self, "says", policy.says if policy else {})
        object.__setattr__(self, "deadlines", tuple(self._deadline(layer) for layer in self.layers))
        object.__setattr__(self, "digest", digest([layer.digest for layer in self.layers]))
        lacking = kinds == ["policy"] and self.layers[0].needs_mandate
        object.__setattr__(self, "lacks_mandate", lacking)

    def _deadline(self, layer: Document) -> datetime | None:
        if not isinstance(layer.expires, timedelta):
            return layer.expires
        if self.started is None or self.started.tzinfo is None:
            raise ValueError("a mandate that expires after a span needs the aware moment it started")
        return self.started + layer.expires


def load_policy(path: Path, *, variables: Mapping[str, str] | None = None, home: str | None = None) -> Document:
    """Load the policy in file `path`; `$project` is its directory unless `variables` says otherwise."""
    return read_policy(bytes_of(path), path, variables=variables, home=home)


def read_policy(
    data: bytes, path: Path, *, variables: Mapping[str, str] | None = None, home: str | None = None
) -> Document:
    """What the policy at `path` says with this content."""
    # Lexical on purpose: following links is for `Facts.resolve`.
    directory = os.path.dirname(os.path.abspath(path))  # noqa: PTH100, PTH120
    given = dict(variables or {})
    if directory != "/":
        given.setdefault("project", directory)
    return load_text(data, file=str(path), kind="policy", variables=given, home=home or own_home())


def load_mandate(path: Path, *, variables: Mapping[str, str] | None = None, home: str | None = None) -> Document:
    """Load the mandate in file `path`. `$project` is the policy's: pass `variables=policy.variables`."""
    return read_mandate(bytes_of(path), path, variables=variables, home=home)


def read_mandate(
    data: bytes, path: Path, *, variables: Mapping[str, str] | None = None, home: str | None = None
) -> Document:
    """What the mandate at `path` says with this content."""
    return load_text(data, file=str(path), kind="mandate", variables=variables or {}, home=home or own_home())


def own_home() -> str:
    """What `~` means."""
    return os.path.expanduser("~")  # noqa: PTH111 - where there is none this stays `~`, which no constraint takes


def bytes_of(path: Path) -> bytes:
    """What the file says, up to one byte more than a document may have. The only place that touches a file."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"can't read {path}: {error.strerror or type(error).__name__}") from None


def load_text(
    data: bytes,
    *,
    file: str,
    kind: DocumentKind,
    variables: Mapping[str, str] | None = None,
    home: str = "",
) -> Document:
    """Load a document from its bytes; `file` is only its name in errors. Raises `InputError`."""
    return load_source(read_yaml(data, file), kind=kind, variables=variables, home=home)


def load_source(
    source: Source, *, kind: DocumentKind, variables: Mapping[str, str] | None = None, home: str = ""
) -> Document:
    """The same for what has been read as YAML already, such as a mandate inside a case file."""
    known = checked_variables(variables or {})
    form = _form(source, kind)
    groups = form.groups if isinstance(form, PolicyForm) else {}
    content = _digest(kind, source.value, known, home)
    builder = Builder(source, kind, known, home, groups, content)
    tools = builder.tools(form) if isinstance(form, PolicyForm) else MappingProxyType({})
    return Document(
        file=source.file,
        digest=content,
        kind=kind,
        rules=builder.rules(form),
        tools=tools,
        says=builder.says(form) if isinstance(form, PolicyForm) else MappingProxyType({}),
        expires=parse_span(form.expires) or parse_moment(form.expires) if isinstance(form, MandateForm) else None,
        task=form.task if isinstance(form, MandateForm) else "",
        variables=known,
        places=_places(source),
        needs_mandate=isinstance(form, PolicyForm) and form.mandate is not None,
        groups=MappingProxyType({name: tuple(members) for name, members in groups.items()}),
    )


def _places(source: Source) -> Mapping[tuple[str, ...], Place]:
    """Where the end of a mandate, that one is required, the facts about each tool and the groups stand."""
    named = [(part, name) for part in ("tools", "groups") for name in source.value.get(part, {})]
    paths: list[tuple[str, ...]] = [(part, name) for part, name in named if isinstance(name, str)]
    paths += [(key,) for key in ("expires", "mandate") if key in source.value]
    return MappingProxyType({path: source.place(path, key=True) for path in paths})


def _form(source: Source, kind: DocumentKind) -> DocumentForm:
    if not isinstance(source.value, dict):
        raise source.error("a document is a mapping", (), "start with `version: 1`")
    _refuse_empty(source, source.value, ())
    if kind == "mandate" and not {"task", "expires"} & source.value.keys():
        raise source.error("this is a policy, or a mandate without `task` and `expires`", (), "a mandate has both")
    top: type[DocumentForm] = MandateForm if kind == "mandate" else PolicyForm
    try:
        return top.model_validate(source.value)
    except ValidationError as errors:
        raise first_error(source, errors, top) from None


def _refuse_empty(source: Source, value: Any, path: tuple[str | int, ...]) -> None:
    """A key without a value reads like a limit and would be none (`until:`), so it is an error."""
    if value is None:
        what = quoted(path[-1]) if isinstance(path[-1], str) else "this entry"
        raise source.error(f"{what} is empty{in_rule(source, path)}", path, hint_for_empty(path[-1]), key=True)
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if path and path[-1] in _CONSTRAINTS:
        return
    for part, inner in parts:
        _refuse_empty(source, inner, (*path, part))


def checked_variables(variables: Mapping[str, str]) -> Mapping[str, str]:
    """The variables, if documents may use them; raises `InputError`."""
    for name, value in variables.items():
        if not _VARIABLE.fullmatch(name):
            raise InputError(f"{quoted(name)} can't be a variable's name; use letters, digits and `_`")
        if not isinstance(value, str) or not value.strip() or not value.isprintable():
            raise InputError(f"variable `{name}` is empty or unprintable; write `--set {name}=VALUE`")
        if posixpath.normpath(value.strip()) in ("/", "//"):
            raise InputError(f"variable `{name}` is `/`, which would open every file; name a directory")
    return MappingProxyType(dict(variables))


def _digest(kind: str, value: Any, variables: Mapping[str, str], home: str) -> str:
    """What the document says, as one number: layout and comments don't count, the values of used variables do."""
    used: set[str] = set()
    at_home = False
    for text in _texts(value):
        used.update(_USED.findall(text))
        at_home = at_home or text.startswith("~")
    content = {
        "kind": kind,
        "content": value,
        "variables": {name: variables[name] for name in sorted(used) if name in variables},
        "home": home if at_home else None,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for part in inner for text in _texts(part)]
