"""What containment costs at a server's start: from its command to its first answer, with and without.

    python -m benchmarks.containment [--rounds N]

Calls cost nothing more: a contained server is talked to by the same two pipes.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from mcp_guard.containment.binding import Wanted, bind, own_things
from mcp_guard.containment.cell import Start
from mcp_guard.containment.possible import Mechanism, Possible, possible
from mcp_guard.containment.settings import Containment
from mcp_guard.policy.document import Authority
from mcp_guard.transports.spawn import spawn

SERVER = Path(__file__).parents[1] / "servers" / "nosy.py"
HELLO = b'{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}\n'


def first_answer(start: Start, cwd: str) -> float:
    """Milliseconds from the start of a process to its answer."""
    begun = time.perf_counter()
    child = spawn(start.command, cwd=cwd, temporary=start.temporary)
    assert child.process.stdin is not None
    assert child.process.stdout is not None
    child.process.stdin.write(HELLO)
    assert child.process.stdout.readline()
    taken = time.perf_counter() - begun
    child.discard()
    child.process.wait(10)
    return taken * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description="What containment costs at a server's start.")
    parser.add_argument("--rounds", type=int, default=40)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as place:
        command = (sys.executable, str(SERVER), "--ledger", f"{place}/ledger")
        wanted = Wanted("nosy", command, Containment(write=(place,)), os.environ["PATH"], place, place)
        ways = {"not contained": Start(command)}
        for found in (possible(), Possible(Mechanism.LANDLOCK)):
            cell = bind(wanted, Authority(()), {}, own_things([], [], []), found)
            if not cell.refused:
                ways[f"contained by {cell.mechanism}"] = cell.start(command)
        taken: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(rounds):  # in turn, so that a busy machine is busy for all
            for way, start in ways.items():
                taken[way].append(first_answer(start, place))
        for way, times in taken.items():
            print(f"{way:<28} {statistics.median(times):6.1f} ms to the first answer (median of {rounds})")


if __name__ == "__main__":
    main()
