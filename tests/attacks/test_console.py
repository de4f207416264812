"""A granted files, web or shell server on its way to the console and to the answers that are given there."""

from __future__ import annotations

import http.client
import os
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from mcp_guard.model import Reason
from mcp_guard.presence import secret
from tests.console.process import console
from tests.guards import RecordingDownstream, Scene, Stand, decision_in, tool
from tests.patience import PATIENCE
from tests.presence.person import PIN, in_a_shell
from tests.record.examples import open_record

ALL = "version: 1\ngrants: [{id: all, tool: raw/read, args: any}]\n"
OWN = ("console-open.html", "presence.pin", "guard.db", "asked/1-1.json", "digest.key", "../state/accepted", "")


async def test_a_files_server_is_asked_for_nothing_that_the_console_rests_on(tmp_path: Path) -> None:
    servers = [RecordingDownstream(tools=[tool("read")])]
    state = tmp_path / "state"
    with Scene(tmp_path, policy=ALL, servers=servers, protect=[str(state)]) as scene:
        for name in OWN:
            path = os.path.join(state, name)  # noqa: PTH118 - as somebody would write it, `..` too
            for argument in (path, f"file://{path}", os.path.relpath(path, tmp_path)):
                answer = (await scene.call("read", {"deep": [{"path": argument}]}))["result"]
                assert decision_in(answer)["reason"] == Reason.PROTECTED, argument
        assert servers[0].calls == []


def test_a_web_server_that_finds_the_port_gets_nothing_but_refusals(tmp_path: Path) -> None:
    with open_record(tmp_path):
        pass
    state = tmp_path / "state"
    secret.keep(state, PIN)
    with console(state) as link:
        port, host = urlsplit(link).port, urlsplit(link).netloc
        guessed = ["127.0.0.1", "localhost", f"localhost:{port}", f"127.0.0.1:{port}", f"guard.localhost:{port}", ""]
        for name in (*guessed, host):  # with the right host, too, if somebody told it
            for method, path in (("GET", "/now"), ("GET", "/log"), ("POST", "/now/stop"), ("GET", "/login/x")):
                connection = http.client.HTTPConnection("127.0.0.1", port or 0, timeout=PATIENCE)
                headers = {"Host": name, "Cookie": "mcp-guard-console=x", "Origin": f"http://{name}"}
                connection.request(method, path, b"kind=everything", headers)
                answer = connection.getresponse()
                text = answer.read().decode()
                connection.close()
                assert answer.status == (403 if name == host else 421), (name, path)
                assert not answer.getheader("set-cookie") and link.rpartition("/")[2] not in text
    assert not (state / "console-open.html").exists()


async def test_a_granted_web_tool_is_not_sent_to_a_console_that_was_started_after_the_guard(tmp_path: Path) -> None:
    stand = Stand(tmp_path, "version: 1\ngrants: [{id: web, tool: raw/echo, args: any}]\n")
    async with stand.wrap() as client:
        await client.initialize()
        with console(stand.state) as link:
            port = urlsplit(link).port or 0
            forms = [
                link,
                f"127.0.0.1:{port}",
                f"http://[::1]:{port}/",
                f"HTTP://x.test:%3{str(port)[0]}{str(port)[1:]}/",
            ]
            for form in (*forms, f"view-source:http://localhost:{port + 65536}", f"http://user@guard\uff1a{port}"):
                answer = await client.call("echo", {"fetch": [{"url": form}]})
                assert decision_in(answer)["reason"] == Reason.PROTECTED, form
            assert not (await client.call("echo", {"text": "https://docs.python.org/3/"})).get("isError")
        assert not (await client.call("echo", {"text": f"http://127.0.0.1:{port}/"})).get("isError")
    assert len(stand.ledger()) == 2


@pytest.mark.parametrize("options", [[], ["--open"]])
def test_a_shell_tool_starts_no_console(tmp_path: Path, options: list[str]) -> None:
    done = in_a_shell(tmp_path / "s", "console", *options, stdin="\n")
    assert done.returncode == 1
    assert "run it yourself in a terminal" in done.stderr and "localhost" not in done.stdout + done.stderr
    assert not list(tmp_path.rglob("console-open*"))
