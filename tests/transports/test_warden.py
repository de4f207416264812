"""A server and all that it started end when the guard does, however it does. With real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_guard.transports import spawn as spawning
from mcp_guard.transports.spawn import Child, contained, spawn
from tests.patience import PATIENCE
from tests.transports.processes import alive, children, number_in, open_files, until_now

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="descendants are found on Linux only")

PYTHON = sys.executable
STUBBORN = "import signal; [signal.signal(n, signal.SIG_IGN) for n in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]; "
WAIT = "import select; select.select([], [], [])"
TELL = "import os, sys; open(sys.argv[1], 'w').write(f'{os.getpid()}\\n'); "
DAEMON = """
import os, sys, select, signal
open(sys.argv[2], "w").close()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.chdir("/")
        open(sys.argv[2], "w").write(f"{os.getpid()}\\n")
        select.select([], [], [])
    os._exit(0)
os.wait()
"""
RABBIT = """
import os, sys, select
if os.fork():
    select.select([], [], [])
os.setsid()
while True:  # each lives for a moment and leaves a child behind
    if os.fork():
        os._exit(0)
    open(sys.argv[1], "a").write("x")
"""


def python(code: str, *arguments: object) -> list[str]:
    return [PYTHON, "-c", code, *map(str, arguments)]


@pytest.fixture(autouse=True)
def _short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spawning, "GRACE_SECONDS", 0.1)


@pytest.fixture
def started() -> Iterator[list[Child]]:
    """Children of a test; none of them, nor a zombie or a descriptor, is left behind."""
    files, processes = open_files(), children()
    running: list[Child] = []
    yield running
    for child in running:
        child.discard()
        child.process.wait(PATIENCE)
    running.clear()
    assert children() == processes
    assert open_files() == files


@pytest.fixture
def pids(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "server.pid", tmp_path / "other.pid"


def running(file: Path) -> int:
    until_now(lambda: number_in(file), file.name)
    return number_in(file)


def test_a_server_gets_the_pipes_and_the_environment(started: list[Child]) -> None:
    code = "import sys, os; print(sys.stdin.readline().strip(), os.environ.get('GIVEN'), os.getcwd(), flush=True)"
    child = spawn(python(code), env={"GIVEN": "yes"}, cwd="/")
    started.append(child)
    assert child.process.stdin is not None
    assert child.process.stdout is not None
    child.process.stdin.write(b"hello\n")
    assert child.process.stdout.readline() == b"hello yes /\n"
    assert child.process.stdout.read() == b""  # the warden doesn't hold the pipe open
    assert child.process.wait(PATIENCE) == 0


@pytest.mark.parametrize(("code", "status"), [("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", 247)])
def test_a_server_that_ends_by_itself_leaves_its_status(started: list[Child], code: str, status: int) -> None:
    started.append(spawn(python(code)))
    assert started[0].process.wait(PATIENCE) == status


@pytest.mark.parametrize("command", [["/no/such/command"], ["no-such-command-anywhere"], ["/"], ["caf\u00e9-\udcff"]])
def test_a_command_that_cannot_be_started_is_a_server_that_ends_at_once(
    started: list[Child], command: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    started.append(spawn(command))
    assert started[0].process.wait(PATIENCE) == 127
    assert "cannot start" in capfd.readouterr().err


@pytest.mark.parametrize("command", [["a\0b"], []])
def test_a_command_that_is_none_leaves_no_process_and_no_descriptor(started: list[Child], command: list[str]) -> None:
    try:
        child = spawn(command)
    except ValueError:
        return
    started.append(child)
    assert child.process.wait(PATIENCE) == 127


def test_a_directory_that_does_not_exist_leaves_no_descriptor(started: list[Child]) -> None:
    with pytest.raises(OSError, match="no-such"):
        spawn(python("pass"), cwd="/no-such-directory")


def test_a_server_that_ends_at_the_end_of_its_input_is_not_killed(
    started: list[Child], pids: tuple[Path, Path]
) -> None:
    code = f"{TELL}sys.stdin.read(); open(sys.argv[2], 'w').write('1\\n')"
    child = spawn(python(code, *pids))
    started.append(child)
    running(pids[0])
    assert child.process.stdin is not None
    child.process.stdin.close()
    child.end()
    assert child.process.wait(PATIENCE) == 0
    assert number_in(pids[1]) == 1


def test_a_server_that_ignores_everything_is_killed(started: list[Child], pids: tuple[Path, Path]) -> None:
    child = spawn(python(STUBBORN + TELL + WAIT, *pids))
    started.append(child)
    server = running(pids[0])
    child.end()
    child.process.wait(PATIENCE)
    assert not alive(server)


def test_a_grandchild_that_left_its_parents_and_its_session_is_ended_with_the_server(
    started: list[Child], pids: tuple[Path, Path]
) -> None:
    child = spawn(python(DAEMON + TELL + WAIT, *pids))
    started.append(child)
    server, grandchild = running(pids[0]), running(pids[1])
    assert os.getsid(grandchild) != os.getsid(server)
    child.end()
    child.process.wait(PATIENCE)
    assert not alive(server)
    assert not alive(grandchild)


def test_what_a_server_leaves_behind_is_ended_when_it_ends_by_itself(
    started: list[Child], pids: tuple[Path, Path]
) -> None:
    child = spawn(python(DAEMON + TELL + "\nwhile not os.path.getsize(sys.argv[2]): pass\nraise SystemExit(3)", *pids))
    started.append(child)
    grandchild = running(pids[1])
    assert child.process.wait(PATIENCE) == 3
    assert not alive(grandchild)


def test_a_process_that_forks_and_ends_again_and_again_is_caught(started: list[Child], pids: tuple[Path, Path]) -> None:
    trail = pids[1]
    child = spawn(python(RABBIT, trail))
    started.append(child)
    until_now(lambda: trail.exists() and trail.stat().st_size > 20, "some generations")
    child.end()
    child.process.wait(PATIENCE)
    assert [entry for entry in Path("/proc").glob("[0-9]*/cmdline") if str(trail) in words(entry)] == []


def words(command_line: Path) -> list[str]:
    try:
        return command_line.read_text().split("\0")
    except OSError:
        return []


GUARD = """
import os, sys
sys.path.insert(0, sys.argv[1])
from mcp_guard.transports import spawn as spawning
spawning.GRACE_SECONDS = 0.1
child = spawning.spawn(sys.argv[4:])
open(sys.argv[2], "w").write(f"{child.process.pid}\\n")
import select
select.select([], [], [])
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGSEGV])
def test_nothing_is_left_when_the_guard_is_killed(tmp_path: Path, number: int) -> None:
    """The server and a daemon of it, which both ignore what can be ignored."""
    warden, server, daemon = tmp_path / "warden", tmp_path / "server", tmp_path / "daemon"
    root = Path(__file__).parents[2]
    command = python(DAEMON + STUBBORN + TELL + WAIT, server, daemon)
    with subprocess.Popen(
        [PYTHON, "-c", GUARD, str(root), str(warden), "-", *command], start_new_session=True, stderr=subprocess.DEVNULL
    ) as guard:
        ids = [running(file) for file in (warden, server, daemon)]
        assert all(map(alive, ids))
        if number == signal.SIGINT:
            os.killpg(guard.pid, number)  # as Ctrl-C does
        else:
            guard.send_signal(number)
        guard.wait(PATIENCE)
    until_now(lambda: not any(map(alive, ids)), "all gone")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1])
def test_a_stray_signal_does_not_end_the_warden(started: list[Child], pids: tuple[Path, Path], number: int) -> None:
    child = spawn(python(TELL + WAIT, *pids))
    started.append(child)
    server = running(pids[0])
    child.process.send_signal(number)
    assert child.process.poll() is None
    assert alive(server)
    child.end()
    assert child.process.wait(PATIENCE) == 0
    assert not alive(server)


def test_a_server_does_not_inherit_what_the_warden_ignores(started: list[Child], pids: tuple[Path, Path]) -> None:
    code = "import signal\ntry: signal.raise_signal(signal.SIGTERM)\nfinally: pass"
    started.append(spawn(python(code)))
    assert started[0].process.wait(PATIENCE) == (-signal.SIGTERM) % 256


def test_a_server_that_kills_its_warden_ends_too_and_the_guard_notices(
    started: list[Child], pids: tuple[Path, Path]
) -> None:
    code = STUBBORN + TELL + "os.kill(os.getppid(), signal.SIGKILL); " + WAIT
    child = spawn(python(code, *pids))
    started.append(child)
    server = running(pids[0])
    assert child.process.wait(PATIENCE) == -signal.SIGKILL
    until_now(lambda: not alive(server), "the server")
    assert child.process.stdout is not None
    assert child.process.stdout.read() == b""


def test_fifty_servers_leave_no_zombie_and_no_descriptor(started: list[Child]) -> None:
    files, processes = open_files(), children()
    for _ in range(5):
        ten = [spawn(["true"]) for _ in range(10)]
        for child in ten:
            child.process.wait(PATIENCE)
            child.discard()
            child.end()  # twice is once
    assert open_files() == files
    assert children() == processes


def test_a_guard_with_more_than_a_thousand_descriptors_can_start_a_server(started: list[Child]) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2048:
        pytest.skip("this machine allows fewer")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2048), hard))
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        started.append(spawn(python("raise SystemExit(5)")))
        assert started[0].process.wait(PATIENCE) == 5
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_what_is_contained_is_said_for_each_platform() -> None:
    assert contained("linux") != contained("darwin")
