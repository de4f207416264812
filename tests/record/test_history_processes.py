"""Labels in real processes: seen at once by the others of a session, and never lost with a killed one."""

from __future__ import annotations

from pathlib import Path

from mcp_guard.record.verify import verify
from tests.record.examples import SESSION, open_record
from tests.record.test_processes import start


def test_what_one_process_named_every_other_sees_also_when_it_is_killed(tmp_path: Path) -> None:
    first, second = (start(tmp_path / "state", "labels") for _ in range(2))
    named: set[str] = set()
    with first, second:
        for number in range(60):
            one, other = (first, second) if number % 2 else (second, first)
            assert one.stdout and one.stdin and other.stdout and other.stdin
            one.stdin.write(f"l{number}\n")
            one.stdin.flush()
            named |= {f"l{number}"}
            assert set(one.stdout.readline().split()) == named, "a process missed what another one had committed"
        for process in (first, second):
            assert process.stdin is not None
            process.stdin.write("flood\n")
            process.stdin.flush()
        for process in (first, second):  # at the same time, each killed at some instant
            assert process.stdout is not None
            named |= {process.stdout.readline().strip() for _ in range(40)}
            process.kill()
            named |= set(process.stdout.read().split("\n")[:-1])  # the last line may be cut
    assert verify(tmp_path / "state") == []
    with open_record(tmp_path) as record:
        assert named <= record.labels(SESSION)
