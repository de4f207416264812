"""Reads the file of expected differences. Strict: an entry that is misread would hide what it should show."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field

from tests.fidelity.compare import Expected

FILE = Path(__file__).with_name("expected-differences.yaml")


class _Form(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class EntryForm(_Form):
    """Why, and which differences of which runs that explains."""

    why: Annotated[str, Field(min_length=20)]
    revision: str
    routes: Annotated[list[str], Field(min_length=1)]
    differences: Annotated[list[str], Field(min_length=1)]


class FileForm(_Form):
    """`allowed` is for good: a difference that could be mended is to be mended."""

    allowed: list[EntryForm]


def load_expected(file: Path = FILE) -> list[Expected]:
    """Every entry. Raises pydantic's ValidationError for a file of another form, ValueError for one said twice."""
    form = FileForm.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    entries = [
        Expected(entry.why, entry.revision, frozenset(entry.routes), frozenset(entry.differences))
        for entry in form.allowed
    ]
    seen: set[tuple[str, str, str]] = set()
    for entry in entries:
        for route in entry.routes:
            for difference in entry.differences:
                if (entry.revision, route, difference) in seen:
                    raise ValueError(f"{difference} is expected twice of {route}, {entry.revision}")
                seen.add((entry.revision, route, difference))
    return entries
