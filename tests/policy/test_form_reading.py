"""A form is read as pydantic's model of it reads: the same values, and the same errors at the same places."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from mcp_guard.policy.building import meaning
from mcp_guard.policy.cases_form import CaseFileForm
from mcp_guard.policy.form import GrantForm, MandateForm, PolicyForm
from mcp_guard.policy.form_base import Form, Said
from mcp_guard.policy.form_reading import NotTheForm, keys_of, read_form
from mcp_guard.policy.schema_form import as_model
from mcp_guard.policy.yaml_source import read_yaml

HOUSE = Path(__file__).parents[2]
FILES = sorted({*HOUSE.glob("policies/**/*.yaml"), *HOUSE.glob("examples/**/*.yaml")})
WORDS = ("grants", "id", "tool", "args", "budget", "calls", "sum", "per", "when", "time", "after", "by", "ask")
SCALARS = st.sampled_from([True, False, 0, 1, -1, 1.5, "", "any", "true", "a/b", "day", "absent", "x y", "2h", "08:00"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=2),
    max_leaves=4,
)


def forms() -> list[tuple[type[Form], Any]]:
    """Every document of the house, with the form that it has."""
    found: list[tuple[type[Form], Any]] = []
    for file in FILES:
        value = read_yaml(file.read_bytes(), str(file)).value
        if isinstance(value, dict) and "servers" not in value and value.keys() & {"grants", "deny", "cases", "tools"}:
            found.append((CaseFileForm if "cases" in value else MandateForm if "task" in value else PolicyForm, value))
    return found


FOUND = forms()


def ours(form: type[Form], value: object) -> object:
    try:
        return read_form(form, value)
    except NotTheForm as error:
        return [tuple(one) for one in error.wrong]


def theirs(form: type[Form], value: object) -> object:
    try:
        return as_model(form).model_validate(value)
    except ValidationError as errors:
        found = []
        for error in errors.errors(include_url=False, include_input=False):
            said = error.get("ctx", {}).get("error")
            if isinstance(said, Said):
                found.append(("said", error["loc"], said.message, said.hint))
            else:
                found.append((error["type"], error["loc"], "", ""))
        return found


def plain(value: object) -> object:
    """A form or a model as plain values, with the keys that were written."""
    if isinstance(value, Form | BaseModel):
        names = keys_of(type(value)) if isinstance(value, Form) else type(value).model_fields
        return {name: plain(getattr(value, name)) for name in names}, set(value.model_fields_set)
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list) else value


@st.composite
def spoilt(draw: st.DrawFn) -> tuple[type[Form], Any]:
    """A document of the house, in which up to three places are changed, taken out or added."""
    form, value = copy.deepcopy(draw(st.sampled_from(FOUND)))
    for _ in range(draw(st.integers(1, 3))):
        at = value
        while isinstance(at, dict | list) and at:
            key = draw(st.sampled_from(list(at) if isinstance(at, dict) else range(len(at))))
            if not isinstance(at[key], dict | list) or not at[key] or draw(st.integers(0, 3)) == 0:
                break
            at = at[key]
        if not at:
            continue
        match draw(st.sampled_from(["change", "change", "take out", "add"])):
            case "change":
                at[key] = draw(VALUES)
            case "take out":
                del at[key]
            case _ if isinstance(at, dict):
                at[draw(st.sampled_from([*WORDS, 7]))] = draw(VALUES)
    return form, value


def test_there_are_documents_of_every_form() -> None:
    assert {form for form, _ in FOUND} == {PolicyForm, MandateForm, CaseFileForm}


@pytest.mark.parametrize("number", range(len(FOUND)))
def test_a_document_of_the_house_is_read_as_pydantic_reads_it(number: int) -> None:
    form, value = FOUND[number]
    found, model = ours(form, value), theirs(form, value)
    assert isinstance(found, form)
    assert plain(found) == plain(model)
    for one, other in zip(getattr(found, "grants", ()), getattr(model, "grants", ()), strict=True):
        assert isinstance(one, GrantForm)
        said = other.model_dump(exclude={"advice", "disclose"}, exclude_defaults=True)
        assert meaning(one) == repr(sorted(said.items()))


@given(spoilt())
def test_a_spoilt_document_is_read_as_pydantic_reads_it(one: tuple[type[Form], Any]) -> None:
    form, value = one
    assert plain(ours(form, value)) == plain(theirs(form, value))


def test_a_form_that_was_read_stays_as_it_is() -> None:
    found = read_form(PolicyForm, {"version": 1})
    with pytest.raises(AttributeError, match="`grants` was read"):
        found.grants = []
    assert read_form(PolicyForm, {"version": 1}).grants is not found.grants
