"""Finds case files and the documents that they are about: `X.cases.yaml` beside `X.yaml`. Reads both, and mandates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mcp_guard.accepting import versions
from mcp_guard.config import load_config
from mcp_guard.errors import InputError
from mcp_guard.missing import check_there
from mcp_guard.policy.cases import HOME, CaseFile, Suite, bind, load_cases
from mcp_guard.policy.document import Authority, Document, load_mandate, read_mandate, read_policy
from mcp_guard.policy.oddities import Oddity
from mcp_guard.policy.yaml_source import MAX_BYTES, read_yaml

ENDING = ".cases.yaml"
CONFIG = Path("guard.yaml")


@dataclass(frozen=True, slots=True)
class Pair:
    """A case file and the document that it is about; `variables` are guard.yaml's.

    `accepted` is where what is accepted is kept: then that is tested, and not what is on disk.
    """

    cases: Path
    document: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    accepted: Path | None = None

    def suite(self) -> Suite:
        """Both, read and checked. Raises `InputError` with file, line and column."""
        for path in (self.cases, self.document):
            check_there(path)
        written = load_cases(_bytes(self.cases), str(self.cases))
        # The case file's variables win: cases speak of one project, wherever the guard runs.
        data = versions.accepted(self.accepted, self.document) if self.accepted is not None else None
        data = _bytes(self.document) if data is None else data
        document = _document(data, self.document, {**self.variables, **written.variables})
        return bind(written, document, self._mandates(written, document))

    def _mandates(self, written: CaseFile, document: Document) -> dict[str, Document]:
        found = {}
        for name in written.mandates:
            path = self.cases.parent / name
            if path.is_file():  # else `bind` says where it is named
                found[name] = load_mandate(path, variables=document.variables, home=HOME)
        return found


def pairs(files: tuple[Path, ...], config: Path | None, policy: Path | None) -> list[Pair]:
    """What to test: the files named, else what guard.yaml names, else every case file in this directory."""
    if config is not None and policy is not None:
        raise InputError("`--config` and `--policy` both name a policy; keep one of them")
    if config is None and policy is None and not files and CONFIG.is_file():
        config = CONFIG
    if config is not None:
        found = list(_configured(config, files))
    elif policy is not None:
        found = [Pair(pair.cases, policy) for pair in _named(files or (policy,))]
    else:
        found = list(_named(files or (Path(),)))
    if not found:
        raise InputError(f"no case file is here; write `project{ENDING}` beside `project.yaml`, or name one")
    return list({pair.cases: pair for pair in found}.values())


def _configured(config: Path, files: tuple[Path, ...]) -> Iterator[Pair]:
    """The policy of a guard.yaml under its variables; its mandate too, if that has cases of its own."""
    loaded = load_config(config)
    if loaded.policy is None:
        raise InputError(f"{config} names no policy, so there is nothing to test; write `policy: FILE` in it")
    yield from (Pair(pair.cases, loaded.policy, loaded.variables) for pair in _named(files or (loaded.policy,)))
    if loaded.mandate is not None and not files:
        (pair,) = _named((loaded.mandate,))
        yield from (Pair(pair.cases, pair.document, loaded.variables),) if pair.cases.is_file() else ()


def _named(files: tuple[Path, ...]) -> Iterator[Pair]:
    """Case files by themselves, by their document, or by their directory."""
    for file in files:
        if file.is_dir():
            yield from _named(tuple(sorted(file.glob(f"*{ENDING}"))))
        elif file.name.endswith(ENDING):
            yield Pair(file, file.with_name(file.name.removesuffix(ENDING) + ".yaml"))
        else:
            yield Pair(file.with_name(f"{file.stem}{ENDING}"), file)


def _document(data: bytes, path: Path, variables: Mapping[str, str]) -> Document:
    """A policy, or a mandate, which alone is an authority too; its own keys tell which."""
    value = read_yaml(data, str(path)).value
    if isinstance(value, dict) and {"task", "expires"} & value.keys():
        return read_mandate(data, path, variables=variables, home=HOME)
    return read_policy(data, path, variables=variables, home=HOME)


def _bytes(path: Path) -> bytes:
    if not path.is_file():  # a pipe would wait for a writer
        raise InputError(f"{path} isn't a file; name a file")
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"can't read {path}: {error.strerror or type(error).__name__}") from None


def without_cases(authority: Authority) -> Iterator[Oddity]:
    """The documents that have no case file beside them: nothing says what they are meant to do."""
    for layer in authority.layers:
        beside = Path(layer.file).with_suffix(ENDING)
        if not beside.is_file():
            yield Oddity(f"there is no {beside.name} beside it", "", layer.file, 1, 1, "no-cases")
