"""What a call costs as things grow: rules, tools, servers, what a session did before, entries, sessions over HTTP.

Each curve is of one kind of cost by itself, taken in turns over all its sizes, so that what the machine does meanwhile
hits them alike. What should stay flat is what a session does a million times.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.speed.callers import HttpCaller, StdioCaller
from benchmarks.speed.chains import GUARD, TOKEN_VARIABLE, Place
from benchmarks.speed.processes import held
from benchmarks.speed.servers import SERVERS, background, sdk_by_url
from tests.ports import free_port

TURNS = 5
_BUILT_IN = 15  # tools that the raw server has anyway; the guard lists 10,000 in all


@dataclass
class Curve:
    """Medians by size, in `unit`."""

    name: str
    what: str
    unit: str
    points: dict[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Sizes:
    tools: tuple[int, ...] = (10, 100, 1_000, 10_000)
    servers: tuple[int, ...] = (1, 10, 50)
    sessions: tuple[int, ...] = (1, 10, 100, 1_000)
    calls: int = 60  # of a turn


QUICK = Sizes(tools=(10, 1_000), servers=(1, 4), sessions=(1, 20), calls=10)


def measure(directory: Path, sizes: Sizes, tick: Callable[[str], None]) -> list[Curve]:
    """The curves of whole guards; `inside.py` has those of a judgement."""
    directory.mkdir()
    place = Place(directory)
    tick("tools")
    curves = _tools(place, sizes)
    tick("servers")
    curves += _servers(place, sizes)
    tick("sessions")
    return curves + _sessions(place, sizes)


def _grant(place: Place, tools: list[str]) -> None:
    named = ", ".join(tools)
    place.policy.write_text(f"version: 1\ngrants:\n  - {{id: all, tool: [{named}], args: any}}\n")


def _tools(place: Place, sizes: Sizes) -> list[Curve]:
    """One server with more and more tools, all of them granted."""
    _grant(place, ["echo/echo", *(f"echo/tool_{number}" for number in range(max(sizes.tools)))])
    call, listing = Curve("tools", "a call", "µs"), Curve("tools", "a listing", "ms")
    with ExitStack() as stack:
        callers = {}
        for size in sizes.tools:
            command = [*place.wrap("raw"), "--tools", str(max(0, size - _BUILT_IN))]
            command[command.index("--mandate") : command.index("--mandate") + 2] = []
            callers[size] = stack.enter_context(StdioCaller(command, place.environment()))
            callers[size].patience = 180.0  # the largest listing takes its time
            callers[size].open()
            callers[size].tool = "echo"
        for size, caller in callers.items():
            began = time.perf_counter()
            caller.request("tools/list", {})
            listing.points[size] = (time.perf_counter() - began) * 1000
        call.points = _in_turns(callers, sizes.calls)
    return [call, listing]


def _servers(place: Place, sizes: Sizes) -> list[Curve]:
    """One guard before more and more servers; the call is to the last."""
    _grant(place, [f"s{number}/echo" for number in range(max(sizes.servers))])
    call, start = Curve("servers", "a call", "µs"), Curve("servers", "start to first listing", "ms")
    with ExitStack() as stack:
        callers = {}
        for size in sizes.servers:
            command = ", ".join(f'"{word}"' for word in SERVERS["raw"])
            entries = "\n".join(f"  s{number}: {{command: [{command}]}}" for number in range(size))
            config = place.directory / f"servers-{size}.yaml"
            config.write_text(f"version: 1\npolicy: policy.yaml\nservers:\n{entries}\n")
            began = time.perf_counter()
            line = [*GUARD, "run", "--config", str(config)]
            callers[size] = stack.enter_context(StdioCaller(line, place.environment()))
            callers[size].open()
            start.points[size] = (time.perf_counter() - began) * 1000
            callers[size].tool = f"s{size - 1}__echo"
        call.points = _in_turns(callers, sizes.calls)
    return [call, start]


def _in_turns(callers: dict[int, StdioCaller], calls: int) -> dict[int, float]:
    rounds: dict[int, list[float]] = {size: [] for size in callers}
    for _ in range(TURNS):
        for size, caller in callers.items():
            caller.wake()
            rounds[size].append(statistics.median(caller.echo() for _ in range(calls)) / 1000)
    return {size: statistics.median(found) for size, found in rounds.items()}


def _sessions(place: Place, sizes: Sizes) -> list[Curve]:
    """Clients of the handshake era over HTTP, all of one guard, before a server that is reached by its address."""
    _grant(place, ["echo/echo"])
    call, memory = Curve("sessions", "a call", "µs"), Curve("sessions", "memory of the guard", "MB")
    with ExitStack() as stack:
        port, process = _guard_over_http(place, stack)
        sessions: list[HttpCaller] = []
        for size in sizes.sessions:
            while len(sessions) < size:
                caller = stack.enter_context(HttpCaller(port, place.token))
                caller.open()
                caller.close()
                sessions.append(caller)
            memory.points[size] = held([process]).shared_out / 1e6
            last = sessions[-1]
            last.wake()
            call.points[size] = statistics.median(last.echo() for _ in range(sizes.calls * 2)) / 1000
    return [call, memory]


def _guard_over_http(place: Place, stack: ExitStack) -> tuple[int, int]:
    behind, _ = sdk_by_url(stack)
    port = free_port()
    config = place.directory / "sessions.yaml"
    url = f"http://127.0.0.1:{behind}/mcp"
    config.write_text(
        f'version: 1\npolicy: policy.yaml\nlisten: {{sessions: 1001}}\nservers:\n  echo: {{url: "{url}"}}\n'
    )
    line = [*GUARD, "run", "--config", str(config), "--http", f"127.0.0.1:{port}", "--token-env", TOKEN_VARIABLE]
    return port, background(stack, line, place.environment(), port)


def per_session(curves: list[Curve]) -> float | None:
    """Kilobytes of each further session, between the fewest and the most."""
    for curve in curves:
        if curve.name == "sessions" and curve.unit == "MB" and len(curve.points) > 1:
            (few, least), (many, most) = next(iter(curve.points.items())), list(curve.points.items())[-1]
            return (most - least) * 1000 / (many - few)
    return None
