"""`mcp-guard console` as a process: where its link goes, and what is left when it ends."""

from __future__ import annotations

import signal
import stat
import time
from pathlib import Path

import pytest

from tests.console.process import console


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_page_that_opens_the_browser_is_private_and_gone_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: signal.Signals
) -> None:
    told = tmp_path / "told"
    program = tmp_path / "browser"
    program.write_text(f'#!/bin/sh\necho "$@" > {told}.new && mv {told}.new {told}\n')
    program.chmod(0o700)
    monkeypatch.setenv("BROWSER", str(program))
    page = tmp_path / "state" / "console-open.html"
    with console(tmp_path / "state", "--open", ending=ending) as link:
        ticket = link.rpartition("/")[2]
        end = time.monotonic() + 30
        while not told.exists() and time.monotonic() < end:
            pass
        assert told.read_text().split() == [page.as_uri()]  # what a command is given, everybody can see
        assert ticket in page.read_text() and stat.S_IMODE(page.stat().st_mode) == 0o600
    assert not page.exists()


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    with console(tmp_path / "state") as link:
        port = link.split(":")[2].partition("/")[0]
        taken = pytest.raises(AssertionError, match=f"can't listen on `127.0.0.1:{port}`")
        with taken, console(tmp_path / "state", "--port", port):
            pass
