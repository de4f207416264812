"""A small process between the guard and one tool server: when the guard ends, however it ends, nothing stays behind.

Run by path with `python -I -S`; imports nothing of the package, so that it costs a few milliseconds.

    warden.py LIFE_FD GRACE_SECONDS TEMPORARY COMMAND ARG...

`LIFE_FD` is the read end of a pipe that only the guard holds open. At its end of file (the guard closed it, or was
killed), or when the server itself has ended, every descendant is ended. On Linux the warden is a subreaper: a
grandchild whose parent died becomes the warden's child and is found, which a process group or a parent-death signal
alone would miss (`setsid` leaves the group; the signal reaches only direct children). Elsewhere it ends the server's
process group; `mcp-guard check` says so. `TEMPORARY`, unless it is empty, is a directory that is made for the server
and removed when all of it has ended.
"""

import contextlib
import ctypes
import os
import select
import signal
import sys
import time

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
STRAY = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM)
LINUX = sys.platform == "linux"


def prctl(option: int, value: int) -> None:
    if LINUX:
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def descendants() -> dict[int, int]:
    """Every process below this one and its process group, read from /proc."""
    parents: dict[int, int] = {}
    groups: dict[int, int] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{entry}/stat", "rb") as stat:
                # The command's name stands in parentheses and may itself hold some: split after the last one.
                words = stat.read().rpartition(b")")[2].split()
                parents[int(entry)], groups[int(entry)] = int(words[1]), int(words[2])
    found = {os.getpid()}
    while True:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        if not more:
            return {pid: groups[pid] for pid in found if pid != os.getpid()}
        found |= more


def signal_all(server: int, number: int) -> None:
    """Whole groups first: a process that forks and ends again and again is caught in its group, not by its number.

    Their groups are theirs alone: the server began a session of its own. Once the server is reaped, its number may be
    another's, so that it is used only where descendants can't be read.
    """
    found = descendants() if LINUX else {server: server}
    for group in set(found.values()) - {os.getpgrp()}:
        with contextlib.suppress(OSError):
            os.killpg(group, number)
    for pid in found if LINUX else ():
        with contextlib.suppress(OSError):
            os.kill(pid, number)


def reap(server: int) -> tuple[bool, int | None]:
    """Collect what has ended: (is any child left, the server's wait status if it was among them)."""
    status = None
    while True:
        try:
            pid, ended = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False, status
        if pid == 0:
            return True, status
        if pid == server:
            status = ended


def end_all(server: int, grace: float, wake: int) -> None:
    """End every descendant: the server's stdin is closed already, so wait, then ask, then kill."""
    if left_after(server, grace, wake):
        signal_all(server, signal.SIGTERM)
        if left_after(server, grace, wake):
            deadline = time.monotonic() + 5
            while time.monotonic() < deadline:  # again and again: a process may be forking while we look
                signal_all(server, signal.SIGKILL)
                if not left_after(server, 0.02, wake):
                    return


def left_after(server: int, seconds: float, wake: int) -> bool:
    """Is any child left after at most `seconds`? Returns as soon as the answer is no."""
    deadline = time.monotonic() + seconds
    while True:
        left, _ = reap(server)
        rest = deadline - time.monotonic()
        if not left or rest <= 0:
            return left
        if wait_for([wake], rest):
            os.read(wake, 4096)


def wait_for(fds: list[int], seconds: float | None = None) -> set[int]:
    """Those of `fds` that can be read or have ended. Not by `select`, whose numbers end at 1023: a guard has more."""
    poll = select.poll()
    for fd in fds:
        poll.register(fd, select.POLLIN)
    return {fd for fd, _ in poll.poll(None if seconds is None else seconds * 1000)}


def main() -> int:
    life, grace, temporary, command = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3], sys.argv[4:]
    if not temporary:
        return look_after(life, grace, command)
    os.mkdir(temporary, 0o700)  # one that is there already is somebody else's
    os.environ["TMPDIR"] = temporary
    try:
        return look_after(life, grace, command)
    finally:
        import shutil  # slow, and nobody waits any more

        shutil.rmtree(temporary, ignore_errors=True)


def look_after(life: int, grace: float, command: list[str]) -> int:
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    os.set_inheritable(life, False)
    for number in STRAY:
        signal.signal(number, signal.SIG_IGN)  # only the pipe ends us: a stray signal to the group must not orphan

    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)

    warden = os.getpid()
    server = os.fork()
    if server == 0:
        try:
            os.setsid()
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # should the warden itself be killed
            if os.getppid() != warden:
                os._exit(127)
            for number in (*STRAY, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ):
                signal.signal(number, signal.SIG_DFL)
            os.execvp(command[0], command)
        except OSError as error:
            os.write(2, f"mcp-guard: cannot start `{command[0]}`: {error.strerror}\n".encode(errors="backslashreplace"))
        finally:
            os._exit(127)  # whatever it was: this copy of the warden must not go on as one

    for fd in (0, 1):  # the server alone holds them: its end of file must reach the guard
        os.close(fd)
    while True:
        if life in wait_for([life, wake_read]):
            end_all(server, grace, wake_read)
            return 0
        os.read(wake_read, 4096)
        _, status = reap(server)
        if status is not None:
            signal_all(server, signal.SIGKILL)  # what a dead server left behind serves nobody
            end_all(server, 0.0, wake_read)
            return os.waitstatus_to_exitcode(status) % 256


if __name__ == "__main__":
    sys.exit(main())
