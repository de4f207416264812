"""The corpus passes on what it may, and says of each text whose it is."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from pathlib import Path

import pytest

from benchmarks.scan import collect
from benchmarks.scan import notice as module
from benchmarks.scan.collect import BENIGN
from benchmarks.scan.licences import LICENCES, TEXTS, Licensed, Unclear, licensed, words
from benchmarks.scan.notice import NOTICE, held_against, notice

MIT = (TEXTS / "MIT.txt").read_text("utf-8")


def npm(place: Path, files: dict[str, str], **members: object) -> Path:
    """A package as `npm pack` makes it."""
    form = {"name": "@maker/server", "version": "1.0.0", **members}
    file = place / "maker-server-1.0.0.tgz"
    with tarfile.open(file, "w:gz") as archive:
        for name, text in {"package.json": json.dumps(form), **files}.items():
            said = tarfile.TarInfo(f"package/{name}")
            said.size = len(text.encode())
            archive.addfile(said, io.BytesIO(text.encode()))
    return file


def wheel(place: Path, metadata: str, files: dict[str, str]) -> Path:
    file = place / "a_server-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in {"METADATA": metadata, **files}.items():
            archive.writestr(f"a_server-1.0.dist-info/{name}", text)
    return file


def test_the_notice_says_of_every_listing_whose_it_is_and_has_each_licence_once() -> None:
    said = NOTICE.read_text("utf-8")
    assert said == notice()
    assert all(said.count((TEXTS / f"{licence}.txt").read_text("utf-8").strip()) == 1 for licence in LICENCES)
    assert len({words(licence) for licence in LICENCES}) == len(LICENCES)
    for file in BENIGN.glob("*.json"):
        form = json.loads(file.read_bytes())
        assert form["copyright"], file.name
        assert f"{form['package']} {form['version']}: {form['licence']}" in said


def test_a_licence_counts_by_its_text_whatever_the_metadata_says(tmp_path: Path) -> None:
    text = "Copyright (c) 2024 A. Maker\n\n" + MIT.replace("\n", "  ")
    found = licensed(npm(tmp_path, {"LICENSE.md": text}, license="UNLICENSED", author="Somebody <a@b.example>"))
    assert found == Licensed("npm:@maker/server", "1.0.0", "MIT", ("Copyright (c) 2024 A. Maker",), "text")


def test_a_notice_file_and_another_spelling_of_a_package_are_read(tmp_path: Path) -> None:
    apache = (TEXTS / "Apache-2.0.txt").read_text("utf-8")
    files = {"licenses/LICENSE": apache, "licenses/NOTICE": "A\nCopyright Makers Ltd.\n\nCopyright 2001 Of A Part"}
    found = licensed(wheel(tmp_path, "Name: A.Server\nVersion: 1.0\nAuthor: X\n\nText.\n", files))
    assert found == Licensed("pypi:a-server", "1.0", "Apache-2.0", ("Copyright Makers Ltd.",), "text")


def test_without_a_text_the_metadata_or_the_readme_counts_if_an_author_is_named(tmp_path: Path) -> None:
    found = licensed(npm(tmp_path, {}, license="MIT", author={"name": "Makers (https://m.example)"}))
    assert (found.licence, found.copyright, found.by) == ("MIT", ("Makers (named as its author)",), "metadata")
    readme = {"README.md": "This server is licensed under the MIT License."}
    assert licensed(npm(tmp_path, readme, license="SEE LICENSE IN LICENSE", author="Makers")).by == "readme"


@pytest.mark.parametrize(
    ("files", "members"),
    [
        ({}, {"license": "MIT"}),
        ({}, {"license": "GPL-3.0", "author": "Makers"}),
        ({}, {"author": "Makers"}),
        ({"LICENSE": "Copyright 2024 Makers\nAll rights reserved."}, {"license": "MIT", "author": "Makers"}),
        ({"LICENSE": f"Copyright 2024 M\n{MIT} You may not publish it."}, {"license": "MIT", "author": "Makers"}),
    ],
)
def test_what_is_unclear_is_not_passed_on(tmp_path: Path, files: dict[str, str], members: dict[str, object]) -> None:
    with pytest.raises(Unclear):
        licensed(npm(tmp_path, files, **members))


def test_a_listing_whose_package_is_unclear_or_another_version_is_taken_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for one in (module, collect):
        monkeypatch.setattr(one, "BENIGN", tmp_path / "benign")
    tool = {"name": "t", "icons": []}
    for name in ("npm:@maker/server", "npm:other"):
        collect.write({"tools": [tool]}, Licensed(name, "1.0.0", "Apache-2.0", ("x",), "text"))
    npm(tmp_path, {"LICENSE": f"Copyright 2024 M\n{MIT}"})
    said = held_against(tmp_path)
    assert said == ["npm:@maker/server 1.0.0: MIT, not Apache-2.0", "npm:other 1.0.0: taken out"]
    (left,) = (tmp_path / "benign").iterdir()
    form = json.loads(left.read_bytes())
    assert (form["licence"], form["copyright"], form["tools"]) == ("MIT", ["Copyright 2024 M"], [{"name": "t"}])
