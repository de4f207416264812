"""From what YAML holds to a form: each key by its annotation, and everything that is wrong, with its place.

Core. What it tells is what pydantic tells of the same form, and a property test holds it to that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    NamedTuple,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from mcp_guard.policy.form_base import First, Form, Fresh, Said

Path = tuple[str | int, ...]
F = TypeVar("F", bound=Form)


class Wrong(NamedTuple):
    """One thing that isn't right. `kind` goes by pydantic's names; "said" has a sentence of ours."""

    kind: str
    path: Path
    message: str = ""
    hint: str = ""


class NotTheForm(Exception):
    """The value doesn't have the form."""

    def __init__(self, wrong: list[Wrong]) -> None:
        super().__init__(f"{len(wrong)} of its parts")
        self.wrong = wrong


class _Nothing(Enum):
    """In the place of a value that isn't right."""

    NOTHING = 0


_NOTHING = _Nothing.NOTHING
Read = Callable[[Any, Path, list[Wrong]], Any]
"""Gives the value, or `_NOTHING` once it has added to what is wrong."""


class Key(NamedTuple):
    """One key of a form."""

    read: Read
    kind: Any  # as it is annotated
    required: bool


def read_form(form: type[F], value: object) -> F:
    """The form that `value` has. Raises NotTheForm with all that is wrong."""
    wrong: list[Wrong] = []
    found = _form(form)(value, (), wrong)
    if found is _NOTHING:
        raise NotTheForm(wrong)
    assert isinstance(found, form)  # noqa: S101 - it is what `_form` makes
    return found


def keys_of(form: type[Form]) -> Mapping[str, Key]:
    """Its keys, in order; those of what it is built on come first."""
    return _keys_of(cast("Any", form))


@cache  # of forms, which are classes in the source
def _keys_of(form: Any) -> Mapping[str, Key]:
    hints = get_type_hints(form, include_extras=True)
    return {
        name: Key(_reader(kind), kind, not hasattr(form, name))
        for name, kind in hints.items()
        if get_origin(kind) is not ClassVar
    }


def _form(form: type[Form]) -> Read:
    keys, checks = keys_of(form), form.checks()
    defaults = {name: one.make for name in keys if isinstance(one := getattr(form, name, None), Fresh)}

    def read(value: Any, path: Path, wrong: list[Wrong]) -> Any:
        if not isinstance(value, dict):
            return _not("model_type", path, wrong)
        before = len(wrong)
        found = {}
        for name, key in keys.items():
            if name in value:
                found[name] = key.read(value[name], (*path, name), wrong)
            elif key.required:
                wrong.append(Wrong("missing", (*path, name)))
        for name in value:
            if name not in keys:
                wrong.append(Wrong("extra_forbidden" if isinstance(name, str) else "invalid_key", (*path, name)))
        if len(wrong) > before:
            return _NOTHING
        made = form(found, defaults)
        try:
            for check in checks:
                check(made)
        except Said as error:
            return _said(error, path, wrong)
        return made

    return read


def _reader(kind: Any) -> Read:
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        read = _reader(parts[0])
        for one in parts[1:]:
            read = _first(one.function, read) if isinstance(one, First) else _then(one.function, read)
        return read
    if kind is Any:
        return lambda value, path, wrong: value
    if origin is list:
        return _list(_reader(parts[0]))
    if origin is dict:
        assert parts[0] is str  # noqa: S101 - keys of YAML are texts
        return _dict(_reader(parts[1]))
    if origin is Literal:
        return _typed(lambda value: isinstance(value, str) and value in parts, "literal_error")
    if origin in (Union, UnionType):
        (inner,) = (_reader(one) for one in parts if one is not NoneType)
        return lambda value, path, wrong: None if value is None else inner(value, path, wrong)
    return _of_class(kind)


def _of_class(kind: type) -> Read:
    if issubclass(kind, Form):
        return _form(kind)
    if issubclass(kind, Enum):
        return _typed(lambda value: isinstance(value, kind), "enum")
    return _typed(lambda value: type(value) is kind, {str: "string_type", int: "int_type", bool: "bool_type"}[kind])


def _typed(fits: Callable[[Any], bool], name: str) -> Read:
    return lambda value, path, wrong: value if fits(value) else _not(name, path, wrong)


def _list(inner: Read) -> Read:
    def read(value: Any, path: Path, wrong: list[Wrong]) -> Any:
        if not isinstance(value, list):
            return _not("list_type", path, wrong)
        before = len(wrong)
        found = [inner(one, (*path, number), wrong) for number, one in enumerate(value)]
        return found if len(wrong) == before else _NOTHING

    return read


def _dict(inner: Read) -> Read:
    def read(value: Any, path: Path, wrong: list[Wrong]) -> Any:
        if not isinstance(value, dict):
            return _not("dict_type", path, wrong)
        before = len(wrong)
        for name in value:
            if not isinstance(name, str):
                wrong.append(Wrong("string_type", (*path, name, "[key]")))
        found = {name: inner(one, (*path, name), wrong) for name, one in value.items()}
        return found if len(wrong) == before else _NOTHING

    return read


def _first(function: Callable[[Any], object], inner: Read) -> Read:
    def read(value: Any, path: Path, wrong: list[Wrong]) -> Any:
        try:
            value = function(value)
        except Said as error:
            return _said(error, path, wrong)
        return inner(value, path, wrong)

    return read


def _then(function: Callable[[Any], object], inner: Read) -> Read:
    def read(value: Any, path: Path, wrong: list[Wrong]) -> Any:
        found = inner(value, path, wrong)
        if found is _NOTHING:
            return found
        try:
            return function(found)
        except Said as error:
            return _said(error, path, wrong)

    return read


def _said(error: Said, path: Path, wrong: list[Wrong]) -> _Nothing:
    wrong.append(Wrong("said", path, error.message, error.hint))
    return _NOTHING


def _not(kind: str, path: Path, wrong: list[Wrong]) -> _Nothing:
    wrong.append(Wrong(kind, path))
    return _NOTHING
