"""Reads a published package's licence: by its text, and whose it is by the notices that the package itself has.

A licence counts by the words of its text, which have to be those that stand beside the corpus. A package without a text
counts by what its metadata or its README says, if its metadata names an author. Anything else is unclear.
"""

from __future__ import annotations

import email
import json
import re
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from functools import cache
from pathlib import Path

TEXTS = Path(__file__).parent / "corpus" / "licences"
LICENCES = ("MIT", "Apache-2.0")
"""Those whose text stands beside the corpus; both permit to pass on."""
_FROM = {"MIT": "permission is hereby granted", "Apache-2.0": "terms and conditions for use"}
_END = "end of terms and conditions"
_SHORT = "licensed under the apache license version 2 0 the license"
_NOTICE = re.compile(r"^\s*((?:Portions )?Copyright (?![\[{<]|License|notice|owner)\S.*?)\s*$", re.MULTILINE)
_FILE = re.compile(r"(?:package|[^/]+\.dist-info(?:/licenses)?)/(LICEN[SC]E|NOTICE)(?:\.\w+)?", re.IGNORECASE)
_SPOKEN = re.compile(r"licensed under the (MIT) License")
_PLACEHOLDER = "Your Name"


class Unclear(Exception):
    """What may be done with this package can't be told from the package."""


@dataclass(frozen=True, slots=True)
class Licensed:
    """One package: `copyright` has its notices as they stand there, else the author that its metadata names."""

    package: str
    version: str
    licence: str
    copyright: tuple[str, ...]
    by: str  # what says so: `text`, `metadata` or `readme`


def licensed(file: Path) -> Licensed:
    """The licence of a package from npm (.tgz) or PyPI (.whl). Raises Unclear."""
    files = _files(file)
    package, version, said, author, readme = _metadata(files)
    texts = {_FILE.fullmatch(name)[1].upper()[:3]: text for name, text in files.items() if _FILE.fullmatch(name)}  # type: ignore[index]
    if "LIC" in texts:
        licence, by = _by_text(texts["LIC"]), "text"
    elif said in LICENCES:
        licence, by = said, "metadata"
    else:
        spoken = _SPOKEN.search(readme)
        licence, by = spoken[1] if spoken else "", "readme"
    notices = _notices(texts.get("LIC", "")) + _notices(texts.get("NOT", "").partition("\n\n")[0])
    if author and (not notices or any(_PLACEHOLDER in one for one in notices)):
        notices += (f"{author} (named as its author)",)
    if licence not in LICENCES or not notices:
        raise Unclear(
            f"{package} {version}: says `{said}`, has {'a' if 'LIC' in texts else 'no'} text, author `{author}`"
        )
    return Licensed(package, version, licence, tuple(dict.fromkeys(notices)), by)


@cache
def words(licence: str) -> str:
    """The binding words of a licence whose text stands beside the corpus."""
    return _binding((TEXTS / f"{licence}.txt").read_text("utf-8"), _FROM[licence])


def _by_text(text: str) -> str:
    found = [licence for licence in LICENCES if _binding(text, _FROM[licence]) == words(licence)]
    if found:
        return found[0]
    return "Apache-2.0" if _SHORT in _plain(text) else ""


def _binding(text: str, start: str) -> str:
    _, found, rest = _plain(text).partition(start)
    return found and rest.partition(_END)[0].strip()


def _plain(text: str) -> str:
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))


def _notices(text: str) -> tuple[str, ...]:
    return tuple(" ".join(one.split()) for one in _NOTICE.findall(text))


def _metadata(files: Mapping[str, str]) -> tuple[str, str, str, str, str]:
    """Package as the corpus names it, version, licence, author without addresses, and what it says of itself."""
    if "package/package.json" in files:
        form = json.loads(files["package/package.json"])
        author = form.get("author") or ""
        name = author if isinstance(author, str) else str(author.get("name", ""))
        readme = files.get("package/README.md", "")
        return f"npm:{form['name']}", form["version"], str(form.get("license", "")), _name(name), readme
    said: Message = email.message_from_string(
        next((text for name, text in files.items() if name.endswith(".dist-info/METADATA")), "")
    )
    package = "pypi:" + re.sub(r"[-_.]+", "-", said["Name"] or "").lower()
    author = said["Author"] or said["Author-email"] or ""
    licence = said["License-Expression"] or said["License"] or ""
    return package, said["Version"] or "", licence, _name(author), str(said.get_payload())


def _name(author: str) -> str:
    return re.sub(r"\s*(?:<[^>]*>|\([^)]*\)|[\w.+-]+@[\w.-]+)", "", author).strip()


def _files(file: Path) -> dict[str, str]:
    """Of a package, what says something of its licence."""

    def counts(name: str) -> bool:
        return (
            bool(_FILE.fullmatch(name))
            or name in ("package/package.json", "package/README.md")
            or (name.endswith(".dist-info/METADATA"))
        )

    if file.suffix == ".whl":
        with zipfile.ZipFile(file) as wheel:
            return {name: wheel.read(name).decode("utf-8", "replace") for name in wheel.namelist() if counts(name)}
    with tarfile.open(file) as archive:
        members = [one for one in archive.getmembers() if one.isfile() and counts(one.name)]
        read = {one.name: archive.extractfile(one) for one in members}
        return {name: one.read().decode("utf-8", "replace") for name, one in read.items() if one is not None}
