"""Finds case files and the documents that they are about: `X.cases.yaml` beside `X.yaml`. Reads both, and mandates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mcp_guard.cli.setting_up import check_there
from mcp_guard.config import load_config
from mcp_guard.errors import InputError
from mcp_guard.policy.cases import HOME, CaseFile, Suite, bind, load_cases
from mcp_guard.policy.document import Document, load_mandate, load_policy
from mcp_guard.policy.yaml_source import MAX_BYTES, input_error, read_yaml

ENDING = ".cases.yaml"
CONFIG = Path("guard.yaml")


@dataclass(frozen=True, slots=True)
class Pair:
    """A case file and the document that it is about; `variables` are guard.yaml's."""

    cases: Path
    document: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def suite(self) -> Suite:
        """Both, read and checked. Raises `InputError` with file, line and column."""
        for path in (self.cases, self.document):
            check_there(path)
        written = load_cases(_bytes(self.cases), str(self.cases))
        # The case file's variables win: cases speak of one project, wherever the guard runs.
        document = _document(self.document, {**self.variables, **written.variables})
        return bind(written, document, self._mandates(written, document))

    def _mandates(self, written: CaseFile, document: Document) -> dict[str, Document]:
        found = {}
        for name, place in written.mandates.items():
            path = self.cases.parent / name
            if not path.is_file():
                raise input_error(
                    str(self.cases), f"there is no {path}", place, "name a file from this one's directory"
                )
            found[name] = load_mandate(path, variables=document.variables, home=HOME)
        return found


def pairs(files: tuple[Path, ...], config: Path | None, policy: Path | None) -> list[Pair]:
    """What to test: the files named, else what guard.yaml names, else every case file in this directory."""
    if config is not None and policy is not None:
        raise InputError("`--config` and `--policy` both name a policy; keep one of them")
    variables: Mapping[str, str] = {}
    if config is None and policy is None and not files and CONFIG.is_file():
        config = CONFIG
    if config is not None:
        loaded = load_config(config)
        if loaded.policy is None:
            raise InputError(f"{config} names no policy, so there is nothing to test; write `policy: FILE` in it")
        policy, variables = loaded.policy, loaded.variables
    if policy is not None:
        return [Pair(cases, policy, variables) for cases in _cases(files or (policy,))]
    found = [Pair(cases, cases.with_name(_stem(cases) + ".yaml")) for cases in _cases(files or (Path(),))]
    if not found:
        raise InputError(f"no case file is here; write `project{ENDING}` beside `project.yaml`, or name one")
    return found


def _cases(files: tuple[Path, ...]) -> Iterator[Path]:
    """Case files as they are named: by themselves, by their document, or by their directory."""
    for file in files:
        if file.is_dir():
            yield from sorted(file.glob(f"*{ENDING}"))
        elif file.name.endswith(ENDING):
            yield file
        else:
            yield file.with_name(f"{file.stem}{ENDING}")


def _stem(cases: Path) -> str:
    return cases.name.removesuffix(ENDING)


def _document(path: Path, variables: Mapping[str, str]) -> Document:
    """A policy, or a mandate, which alone is an authority too; its own keys tell which."""
    value = read_yaml(_bytes(path), str(path)).value
    if isinstance(value, dict) and {"task", "expires"} & value.keys():
        return load_mandate(path, variables=variables, home=HOME)
    return load_policy(path, variables=variables, home=HOME)


def _bytes(path: Path) -> bytes:
    if not path.is_file():  # a pipe would wait for a writer
        raise InputError(f"{path} isn't a file; name a file")
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"can't read {path}: {error.strerror or type(error).__name__}") from None
