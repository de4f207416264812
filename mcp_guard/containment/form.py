"""The written form of `contain` in guard.yaml, checked, and what it means."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from mcp_guard.containment.settings import Bounds, Containment, Files

_UNITS = {"MB": 10**6, "GB": 10**9, "s": 1, "m": 60, "h": 3600}


class ContainForm(BaseModel):
    """`contain: {...}` of one server; `contain: true` is all defaults."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    files: Files = "grants"
    read: list[Annotated[str, Field(min_length=1)]] = []
    write: list[Annotated[str, Field(min_length=1)]] = []
    network: Literal["on", "off"] = "off"
    memory: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,5}(MB|GB)$")] = "4GB"
    cpu: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,4}(s|m|h)$")] | None = None
    processes: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    open_files: Annotated[int, Field(ge=16, le=1_000_000)] = 4096


def short_form(value: object) -> object:
    """`true` is all defaults, `false` is as if the key weren't there."""
    return {True: {}, False: None}[value] if isinstance(value, bool) else value


Contain = Annotated[ContainForm | None, BeforeValidator(short_form)]


def containment(form: ContainForm | None, directory: Path) -> Containment | None:
    """The form's meaning; its paths start from `directory`."""
    if form is None:
        return None
    return Containment(
        files=form.files,
        read=tuple(str(directory / Path(path).expanduser()) for path in form.read),
        write=tuple(str(directory / Path(path).expanduser()) for path in form.write),
        network=form.network == "on",
        bounds=Bounds(
            memory=int(form.memory[:-2]) * _UNITS[form.memory[-2:]],
            cpu=int(form.cpu[:-1]) * _UNITS[form.cpu[-1]] if form.cpu else None,
            processes=form.processes,
            open_files=form.open_files,
        ),
    )
