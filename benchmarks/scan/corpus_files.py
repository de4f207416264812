"""Reads the corpus: poisoned cases in the form that a server would list them, and real servers' listings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CORPUS = Path(__file__).parent / "corpus"
PARTS = ("development", "held-out", "evading")
"""Of the poisoned cases; real servers are in the first two."""


@dataclass(frozen=True, slots=True)
class Poisoned:
    """One attack: what it does, where its text stands, and the text or the two tools' names."""

    id: str
    family: str
    place: str
    text: str = ""
    names: tuple[str, str, str, str] = ("", "", "", "")  # server, tool, other server, its tool


@dataclass(frozen=True, slots=True)
class Benign:
    """One real server."""

    package: str
    version: str
    licence: str
    part: str
    instructions: str | None
    prompts: tuple[dict[str, Any], ...]
    tools: tuple[dict[str, Any], ...]


def poisoned(part: str) -> Iterator[Poisoned]:
    """The cases of one part."""
    for line in (CORPUS / f"poisoned-{part}.jsonl").read_text("utf-8").splitlines():
        case = json.loads(line)
        names = tuple(case.get("names", ("", "", "", "")))
        yield Poisoned(case["id"], case["family"], case["as"], case.get("text", ""), names)


def benign() -> Iterator[Benign]:
    """Every real server."""
    for file in sorted((CORPUS / "benign").glob("*.json")):
        form = json.loads(file.read_bytes())
        yield Benign(
            form["package"],
            form["version"],
            form["licence"],
            form["part"],
            form["instructions"],
            tuple(form["prompts"]),
            tuple(form["tools"]),
        )


def descriptor(case: Poisoned) -> dict[str, Any] | None:
    """The tool or prompt that has the case's text in it; None where it isn't one."""
    text = case.text
    value: dict[str, Any] = {"type": "string", "description": "A value."}
    tool: dict[str, Any] = {"name": "tool", "description": "Does a thing.", "inputSchema": {"type": "object"}}
    properties: dict[str, Any] = {"x": value}
    match case.place:
        case "description":
            tool["description"] = text
        case "title":
            tool["title"] = text
        case "parameter":
            properties = {text: value}
        case "parameter_description":
            value["description"] = text
        case "enum":
            value["enum"] = ["a", text]
        case "default":
            value["default"] = text
        case "prompt":
            return {"name": "prompt", "description": text}
        case _:
            return None
    tool["inputSchema"]["properties"] = properties
    return tool
