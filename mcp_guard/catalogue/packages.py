"""Which published package a command starts: `npx -y NAME`, `uvx NAME`, `docker run IMAGE` and their kin.

Core. Reads a command line and nothing else: neither what is installed nor what a registry would send. A name says what
was *meant* to run; that a launcher really starts it depends on the machine (a local `node_modules`, its settings, the
PATH). So whatever could make it start something else in plain sight (an option that isn't known here, a URL, a path, an
alias) leaves the package unknown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

Words = Sequence[str]


class Registry(StrEnum):
    """Where a package's name has its meaning. A `module` is found by `python -m`, wherever it was installed from."""

    NPM = "npm"
    PYPI = "pypi"
    DOCKER = "docker"
    MODULE = "module"


@dataclass(frozen=True, slots=True)
class Package:
    """What a command says that it starts."""

    registry: Registry
    name: str  # as the registry spells it
    version: str | None = None  # only if the command names one exactly; an image's tag or digest
    program: str | None = None  # which of the package's programs, if the command names one

    @property
    def key(self) -> str:
        """`npm:@scope/name`: what the catalogue's index knows it by."""
        return f"{self.registry.value}:{self.name}"

    def __str__(self) -> str:
        return f"{self.key}@{self.version}" if self.version else self.key


class _Unclear(Exception):
    """The command doesn't say for certain what it starts; the text says why."""


def identify(command: Words, given: Iterable[str] = ()) -> tuple[Package | None, str]:
    """The package that a command starts, or why that can't be told. Never raises. `given`: variables it gets."""
    if variable := steering(given):
        return None, f"`{variable[:60]}` in its `env` may change what is started"
    words = list(command)
    try:
        program = _program(words)
        if program in _LAUNCHERS:
            return _LAUNCHERS[program](words[1:]), ""
        if re.fullmatch(r"python(3(\.[0-9]+)?)?", program):
            return _module(words[1:]), ""
        return None, "its command names no package that could be looked up"
    except _Unclear as why:
        return None, str(why)


_STEERING = re.compile(
    r"(?:NODE_(?!ENV$)|NPM_|BUN_|DENO_|YARN_|PNPM_|COREPACK_|PYTHON(?!UNBUFFERED$|UTF8$|IOENCODING$)|UV_|PIP_|PIPX_|LD_|DYLD_"
    r"|DOCKER_|CONTAINER|XDG_|SSL_CERT|HTTPS?_PROXY$|ALL_PROXY$).*|PATH|HOME|ENV|BASH_ENV",
    re.IGNORECASE,
)


def steering(given: Iterable[str]) -> str:
    """The first of these variables by which a launcher may start something else than the command names: another
    registry, other code, another home with its settings. Empty if there is none."""
    return next((name for name in given if _STEERING.fullmatch(name)), "")


_PLACES = ("/bin/", "/usr/bin/", "/usr/local/bin/", "/opt/homebrew/bin/")
"""Where a launcher may lie if it is named by its path: any other place could hold any program."""


def _program(words: Words) -> str:
    if not words:
        raise _Unclear("there is no command")
    directory, slash, name = words[0].rpartition("/")
    if slash and directory + slash not in _PLACES:
        raise _Unclear("its command is started by a path, which could lead to anything")
    return name


def _options(words: Words, flags: frozenset[str], valued: Mapping[str, str]) -> tuple[Words, dict[str, str]]:
    """What follows the options, and the values of those that take one, which have to fit their patterns."""
    at = 0
    given: dict[str, str] = {}
    while at < len(words) and words[at].startswith("-"):
        option, equals, value = words[at].partition("=")
        at += 1
        if option == "--" and not equals:
            break
        if option in flags and not equals:
            continue
        if not equals:
            value = words[at] if at < len(words) else ""
            at += 1
        if option not in valued or not re.fullmatch(valued[option], value, re.DOTALL):
            raise _Unclear(f"`{option[:40]}` may change what is started")
        given[option] = value
    return words[at:], given


def _past(words: Words, flags: frozenset[str]) -> Words:
    return _options(words, flags, {})[0]


def _either(
    words: Words, sources: frozenset[str], flags: frozenset[str], valued: Mapping[str, str]
) -> tuple[str, str | None]:
    """The package and the program of `uvx [--from SPEC] PROGRAM` and its like: without a source they are one."""
    rest, given = _options(words, flags, {**valued, **dict.fromkeys(sources, r".+")})
    specs = [value for option, value in given.items() if option in sources]
    if len(specs) > 1 or sum(word.partition("=")[0] in sources for word in words[: len(words) - len(rest)]) > 1:
        raise _Unclear("it names several packages")
    return (specs[0], _first(rest)) if specs else (_first(rest), None)


def _first(words: Words) -> str:
    if not words:
        raise _Unclear("its command names no package")
    return words[0]


# --- npm ---

_NPX_FLAGS = frozenset({"-y", "--yes", "-q", "--quiet", "--prefer-online", "--prefer-offline"})
_NPM_NAME = re.compile(r"((?:@[a-z0-9~-][a-z0-9._~-]*/)?[a-z0-9~-][a-z0-9._~-]*)(?:@(.*))?", re.DOTALL)
_EXACT = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?")
_LOOSE = re.compile(r"[a-z][a-z0-9-]*|[\^~]?[0-9]+(?:\.[0-9]+){0,2}|")  # a tag such as `latest`, or a range
_ARCHIVE = re.compile(r".*\.(?:tgz|tar|tar\.gz|gz)", re.IGNORECASE | re.DOTALL)


def _npm(spec: str, program: str | None = None) -> Package:
    """`@scope/name@1.2.3`. An alias (`a@npm:b`), an address, a path and an archive are somebody else's package."""
    found = _NPM_NAME.fullmatch(spec)
    version = (found[2] or "") if found else ""
    if found is None or _ARCHIVE.fullmatch(spec) or not (_EXACT.fullmatch(version) or _LOOSE.fullmatch(version)):
        raise _Unclear("what it names is not a plain package name and version")
    return Package(Registry.NPM, found[1], version if _EXACT.fullmatch(version) else None, program)


def _npx(words: Words) -> Package:
    return _npm(*_either(words, frozenset({"-p", "--package"}), _NPX_FLAGS, {}))


def _npm_exec(words: Words) -> Package:
    """Unlike `npx`, npm reads its own options behind the package's name, too, up to a `--`."""
    if words[:1] not in (["exec"], ["x"]):
        raise _Unclear("of npm's commands, only `npm exec` starts a package by its name")
    own = words[1 : words.index("--")] if "--" in words else words[1:]
    options = [word.startswith("-") for word in own]
    if options != sorted(options, reverse=True):
        raise _Unclear("an option behind the package's name may change what is started")
    return _npx(words[1:])


def _dlx(words: Words) -> Package:
    if words[:1] != ["dlx"]:
        raise _Unclear("only `dlx` starts a package by its name")
    return _npm(_first(_past(words[1:], frozenset({"-q", "--quiet", "-s", "--silent"}))))


_BUN_FLAGS = frozenset({"-y", "--yes", "--bun", "--silent"})


def _bunx(words: Words) -> Package:
    return _npm(_first(_past(words, _BUN_FLAGS)))


def _bun(words: Words) -> Package:
    if words[:1] != ["x"]:
        raise _Unclear("of bun's commands, only `bun x` starts a package by its name")
    return _bunx(words[1:])


# --- PyPI ---

_UV_FLAGS = frozenset({"-q", "--quiet", "--isolated", "--refresh", "-n", "--no-cache", "--offline", "--no-progress"})
_PIPX_FLAGS = frozenset({"-q", "--quiet", "--no-cache"})
_PYTHON = dict.fromkeys(("-p", "--python"), r"3(\.[0-9]{1,2})?")  # a version; a path to an interpreter is a program
_PYPI_NAME = re.compile(
    r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(?:\[[A-Za-z0-9,._-]*\])?(?:(==|@|>=|~=|<=)([A-Za-z0-9.+!]+))?"
)
_NUMBERED = re.compile(r"[0-9][A-Za-z0-9.+!]*")


def _pypi(spec: str, program: str | None = None) -> Package:
    """`name[extra]==1.2`. An address, a path and an archive are somebody else's package."""
    found = _PYPI_NAME.fullmatch(spec)
    if found is None or _ARCHIVE.fullmatch(spec) or spec.lower().endswith((".whl", ".zip", ".py")):
        raise _Unclear("what it names is not a plain package name and version")
    exact = found[2] in ("==", "@") and _NUMBERED.fullmatch(found[3])
    name = re.sub(r"[-_.]+", "-", found[1]).lower()
    return Package(Registry.PYPI, name, found[3] if exact else None, program)


def _uvx(words: Words) -> Package:
    return _pypi(*_either(words, frozenset({"--from"}), _UV_FLAGS, _PYTHON))


def _uv(words: Words) -> Package:
    if list(words[:2]) not in (["tool", "run"],):
        raise _Unclear("of uv's commands, only `uv tool run` starts a package by its name")
    return _uvx(words[2:])


def _pipx(words: Words) -> Package:
    if words[:1] != ["run"]:
        raise _Unclear("of pipx's commands, only `pipx run` starts a package by its name")
    return _pypi(*_either(words[1:], frozenset({"--spec"}), _PIPX_FLAGS, {"--python": _PYTHON["--python"]}))


def _module(words: Words) -> Package:
    rest = list(words)
    while rest and rest[0] in ("-u", "-I", "-B", "-s", "-E", "-P"):
        rest.pop(0)
    if rest[:1] != ["-m"] or len(rest) < 2 or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*", rest[1]):
        raise _Unclear("of Python's commands, only `python -m MODULE` names what it starts")
    return Package(Registry.MODULE, rest[1])


# --- images ---

_DOCKER_FLAGS = frozenset({"-i", "--interactive", "-t", "--tty", "-it", "-ti", "--rm", "--init", "--read-only"})
_CODE_VARIABLES = (
    "(?:NODE_|NPM_|BUN_|DENO_|PYTHON|UV_|PIP_|LD_|DYLD_|JAVA|JDK|PERL|RUBY|BASH|DOTNET|CORECLR)|(?:PATH|ENV)(?:=|$)"
)
_VARIABLE = rf"(?!{_CODE_VARIABLES})[A-Za-z_][A-Za-z0-9_]*(=.*)?"  # not those by which a runtime loads other code
_DOCKER_VALUED = {
    **dict.fromkeys(("-e", "--env"), _VARIABLE),
    **dict.fromkeys(("--network", "--net", "--name", "--pull", "--platform", "--user", "-u", "-m", "--memory"), r".+"),
    **dict.fromkeys(("--add-host", "-p", "--publish", "--cpus", "--cap-drop", "--security-opt"), r".+"),
}
_IMAGE = re.compile(
    r"(?:docker\.io/)?([a-z0-9][a-z0-9._/-]*)(?::([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?"
)


def _docker(words: Words) -> Package:
    if words[:1] != ["run"]:
        raise _Unclear("only `run` starts an image by its name")
    found = _IMAGE.fullmatch(_first(_options(words[1:], _DOCKER_FLAGS, _DOCKER_VALUED)[0]))
    if found is None:
        raise _Unclear("what it names is not a plain image name and tag")
    tag = found[2] if found[2] != "latest" else None
    return Package(Registry.DOCKER, found[1].removeprefix("library/"), found[3] or tag)


def _podman(words: Words) -> Package:
    package = _docker(words)
    if "." not in package.name.partition("/")[0] and not any(word.startswith("docker.io/") for word in words):
        raise _Unclear("podman looks for a short name in several registries")
    return package


_LAUNCHERS: dict[str, Callable[[Words], Package]] = {
    "npx": _npx,
    "npm": _npm_exec,
    "pnpm": _dlx,
    "pnpx": lambda words: _dlx(["dlx", *words]),
    "yarn": _dlx,
    "bunx": _bunx,
    "bun": _bun,
    "uvx": _uvx,
    "uv": _uv,
    "pipx": _pipx,
    "docker": _docker,
    "podman": _podman,
}
