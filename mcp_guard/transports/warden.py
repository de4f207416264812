"""A small process between the guard and one tool server: when the guard ends, however it ends, nothing stays behind.

Run by path with `python -I -S`; imports nothing of the package, so that it costs a few milliseconds.

    warden.py LIFE_FD GRACE_SECONDS COMMAND ARG...

`LIFE_FD` is the read end of a pipe that only the guard holds open. At its end of file (the guard closed it, or was
killed), or when the server itself has ended, every descendant is ended. On Linux the warden is a subreaper: a
grandchild whose parent died becomes the warden's child and is found, which a process group or a parent-death signal
alone would miss (`setsid` leaves the group; the signal reaches only direct children). Elsewhere it ends the server's
process group; `mcp-guard check` says so.
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
LINUX = sys.platform == "linux"


def prctl(option: int, value: int) -> None:
    if LINUX:
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def descendants() -> set[int]:
    """Every live process below this one, read from /proc; zombies of our own are reaped by the caller."""
    parents: dict[int, int] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{entry}/stat", "rb") as stat:
                # The command's name stands in parentheses and may itself hold some: split after the last one.
                parents[int(entry)] = int(stat.read().rpartition(b")")[2].split()[1])
    found = {os.getpid()}
    while True:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        if not more:
            return found - {os.getpid()}
        found |= more


def signal_all(server: int, number: int) -> None:
    with contextlib.suppress(OSError):
        os.killpg(server, number)
    for pid in descendants() if LINUX else ():
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
        if select.select([wake], [], [], rest)[0]:
            os.read(wake, 4096)


def main() -> int:
    life, grace, command = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    os.set_inheritable(life, False)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
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
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE):
                signal.signal(number, signal.SIG_DFL)
            os.execvp(command[0], command)
        except OSError as error:
            os.write(2, f"mcp-guard: cannot start `{command[0]}`: {error.strerror}\n".encode())
        os._exit(127)

    for fd in (0, 1):  # the server alone holds them: its end of file must reach the guard
        os.close(fd)
    while True:
        ready, _, _ = select.select([life, wake_read], [], [])
        if life in ready:
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
