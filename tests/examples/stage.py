"""A clone of the repository with one example in it, set up as `examples/README.md` says, and a home to be touched.

Nothing is installed or downloaded: the clone's `.venv` sees what the tests run with.
"""

from __future__ import annotations

import json
import os
import shutil
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
HOME = "/tmp/iris"  # noqa: S108 - the home that the stories speak of, replaced in every copy before anything runs
STORIES = sorted(path.name for path in (REPOSITORY / "examples").iterdir() if (path / "README.md").exists())


@dataclass(frozen=True)
class Stage:
    """`root` holds everything that a run may touch: the clone, and `home`, as long as the /tmp/iris it stands for."""

    root: Path
    example: Path
    home: Path

    @classmethod
    def of(cls, name: str, root: Path) -> Stage:
        """Copy the example and the servers, side by side as in the repository."""
        root = root.resolve()
        clone = root / "clone"
        leave_out = shutil.ignore_patterns("__pycache__", "state")
        for part in (f"examples/{name}", "servers"):
            shutil.copytree(REPOSITORY / part, clone / part, ignore=leave_out)
        stage = cls(root, clone / "examples" / name, root / "i")
        for file in (path for path in stage.example.rglob("*") if path.is_file()):
            file.write_text(stage.here(file.read_text("utf-8")), "utf-8")
        stage._install(clone / ".venv")
        return stage

    def _install(self, place: Path) -> None:
        venv.EnvBuilder(symlinks=True).create(place)
        packages = dict.fromkeys(sysconfig.get_path(kind) for kind in ("purelib", "platlib"))
        inside = next(place.glob("lib/python*/site-packages"))
        lines = [str(REPOSITORY), *(f"import site; site.addsitedir({one!r})" for one in packages)]
        (inside / "tests.pth").write_text("\n".join(lines) + "\n")
        program(place / "bin" / "mcp-guard", f'exec "{place}/bin/python" -P -m mcp_guard "$@"')

    def command(self, name: str, script: str) -> None:
        """Put a command on the PATH."""
        program(self.root / "bin" / name, script)

    @property
    def environment(self) -> dict[str, str]:
        """Of a shell in which the clone's `.venv` is active."""
        path = [self.root / "bin", self.example.parents[1] / ".venv" / "bin", "/usr/local/bin", "/usr/bin", "/bin"]
        return {
            "PATH": os.pathsep.join(map(str, path)),
            "HOME": str(self.root / "reader"),
            "NO_COLOR": "1",
            "COLUMNS": "200",
        }

    def here(self, text: str) -> str:
        """A text of the story with this run's home in it."""
        return text.replace(HOME, str(self.home))

    def there(self, text: str) -> str:
        """What a run says, as the story says it."""
        return text.replace(str(self.home), HOME)

    def path(self, written: str) -> Path:
        """A file as the story names it: from the home, or beside its README. `*` stands for one name."""
        base, name = (self.home, written[2:]) if written.startswith("~/") else (self.example, written)
        if "*" not in name:
            return base / name
        (found,) = base.glob(name)
        return found


def program(file: Path, script: str) -> None:
    """A command that is a shell script."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def executed(ledger: Path) -> list[tuple[str, dict[str, Any]]]:
    """Tool and arguments of every line that a server wrote into its ledger."""
    lines = ledger.read_text("utf-8").splitlines() if ledger.exists() else []
    return [(line["tool"], line["arguments"]) for line in map(json.loads, lines)]
