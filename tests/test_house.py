"""The house rules that a reviewer would otherwise have to remember."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from mcp_guard import __version__

ROOT = Path(__file__).parent.parent
LINES = 500
WRITTEN = {".py", ".md", ".toml", ".yaml", ".yml", ".in", ".cfg", ".sh"}
NOT_OURS = {"node_modules", "dist", "build", "__pycache__"}
UNFINISHED = re.compile("|".join(["TO" + "DO", "FIX" + "ME", "X" * 3]))
REGISTRIES = re.compile(
    r"pypi\.org/simple|pythonhosted\.org|registry\.(npmjs|yarnpkg)|--(extra-)?index-url|--find-links"
)


@cache
def files() -> list[Path]:
    """Every file that somebody wrote or a tool resolved; hidden directories only where they are ours."""
    found = []
    for path in ROOT.rglob("*"):
        parts = path.relative_to(ROOT).parts
        hidden = any(part.startswith(".") and part not in {".ci", ".github", ".gitignore"} for part in parts)
        if path.is_file() and not hidden and not NOT_OURS & set(parts):
            found.append(path)
    return found


def written() -> list[Path]:
    return [path for path in files() if path.suffix in WRITTEN or path.name in {"Makefile", "run", ".gitignore"}]


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def locks() -> list[Path]:
    return [path for path in files() if path.parts[len(ROOT.parts)] == "requirements"]


def test_the_walk_sees_the_house() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in written()}
    assert {"pyproject.toml", "Makefile", ".ci/run", "mcp_guard/model.py", "README.md"} <= names
    assert len(locks()) >= 5


def test_no_file_is_longer_than_five_hundred_lines() -> None:
    assert {str(path) for path in written() if len(text(path).splitlines()) > LINES} == set()


def test_nothing_is_marked_as_unfinished() -> None:
    quoting = ROOT / "benchmarks" / "alignment" / "mandates"  # prompts, word for word, of people who have such lists
    ours = [path for path in written() if quoting not in path.parents]
    assert {str(path) for path in ours if UNFINISHED.search(text(path))} == set()


def test_no_file_names_a_place_on_the_machine_that_made_it() -> None:
    places = {str(ROOT), str(ROOT.resolve()), sys.prefix}
    assert {
        str(path) for path in files() if any(place in path.read_text("utf-8", "replace") for place in places)
    } == set()


def test_no_file_says_where_packages_are_fetched_from() -> None:
    config = {ROOT / "Makefile", Path(__file__)}  # which must name the options that keep addresses out
    assert {
        str(path) for path in files() if path not in config and REGISTRIES.search(path.read_text("utf-8", "replace"))
    } == set()


def test_every_locked_package_has_a_hash_and_no_address() -> None:
    for lock in locks():
        if lock.suffix == ".txt":
            entries = re.split(r"\n(?=\S)", re.sub(r"^#.*\n", "", text(lock), flags=re.MULTILINE))
            assert [entry for entry in entries if "--hash=sha256:" not in entry] == []
            assert "://" not in text(lock)
    npm = [lock for lock in locks() if lock.name == "package-lock.json"]
    assert len(npm) >= 2
    for lock in npm:
        locked = {name: package for name, package in json.loads(text(lock))["packages"].items() if name}
        assert locked
        odd = {name for name, package in locked.items() if "integrity" not in package or "resolved" in package}
        assert odd == set()


def test_the_development_lock_agrees_with_the_runtime_lock() -> None:
    """Or else what is tested isn't what is run."""

    def pins(name: str) -> set[str]:
        return set(re.findall(r"^\S+==\S+", text(ROOT / "requirements" / name), flags=re.MULTILINE))

    assert pins("runtime.txt")
    assert pins("runtime.txt") <= pins("dev.txt")


def test_the_changelog_has_an_entry_for_this_version() -> None:
    assert re.search(rf"^## {re.escape(__version__)}\b", text(ROOT / "CHANGELOG.md"), flags=re.MULTILINE)


@cache
def help_of(*command: str) -> str:
    line = [sys.executable, "-m", "mcp_guard", *command, "--help"]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout


@cache
def commands() -> set[str]:
    """What `mcp-guard --help` lists."""
    listed = help_of().partition("Commands:")[2]
    return set(re.findall(r"^  ([a-z][a-z-]*)", listed, flags=re.MULTILINE))


def options(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))


def help_for(command: str, rest: str) -> str:
    """Of the command, or of its own command that comes next: `log verify`."""
    text, word = help_of(command), rest.split(maxsplit=1)[0] if rest.strip() else ""
    has_it = re.search(rf"^  {re.escape(word)} ", text.partition("Commands:")[2], flags=re.MULTILINE)
    return help_of(command, word) if word and has_it else text


def documents() -> list[str]:
    return [path.relative_to(ROOT).as_posix() for path in files() if path.suffix == ".md"]


@pytest.mark.parametrize("document", documents())
def test_a_document_names_only_commands_and_options_that_exist(document: str) -> None:
    used = re.findall(r"(?:^|[`$ ])mcp-guard ([a-z][a-z-]*)([^`\n]*)", text(ROOT / document), flags=re.MULTILINE)
    assert {command for command, _ in used} <= commands()
    for command, rest in used:
        ours = rest.split(" -- ")[0]  # what follows is another program's
        assert options(ours) <= options(help_for(command, rest)), command
    targets = set(re.findall(r"^([a-z-]+):", text(ROOT / "Makefile"), flags=re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", text(ROOT / document), flags=re.MULTILINE)) <= targets


def test_the_readme_names_every_command() -> None:
    assert commands()
    assert {name for name in commands() if f"mcp-guard {name}" not in text(ROOT / "README.md")} == set()
