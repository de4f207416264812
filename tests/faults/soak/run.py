"""One run: the world, the lanes, the watch, and what must be true when all is over."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mcp_guard.record.query import Filter, Row, open_for_reading
from mcp_guard.record.verify import verify
from tests.end_to_end.clients import _line
from tests.faults.soak.figures import Look, Watch
from tests.faults.soak.http_lane import HttpLane
from tests.faults.soak.inside_lane import InsideLane
from tests.faults.soak.lanes import Lane
from tests.faults.soak.ledger import Ledger
from tests.faults.soak.stdio_lane import StdioLane
from tests.faults.soak.world import World, texts
from tests.faults.test_kill import digest_of, none_left, processes_with
from tests.fixtures.ledger import read_lines
from tests.transports.processes import descriptors, open_files

ENDS_WITHIN = 30.0
"""Seconds after which a guard that was told to stop is stuck."""


@dataclass
class Report:
    """The figures of one run; `wrong` is empty if nothing leaked, nothing was lost, and nothing came twice."""

    seconds: float
    clients: int
    servers: int
    ledger: Ledger
    growth: dict[str, tuple[Look, Look]] = field(default_factory=dict)
    entries: int = 0
    executed: int = 0
    wrong: list[str] = field(default_factory=list)


async def soak(home: Path, *, seconds: float, clients: int, servers: int, seed: int) -> Report:
    """Run it in `home`. The record of this process is there too."""
    ledger = Ledger()
    world = World(home, random.Random(seed), ledger)
    os.environ["MCP_GUARD_STATE"] = str(home / "state")
    report = Report(seconds, clients, servers, ledger)
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: report.wrong.append(f"in the loop: {context.get('message')} {context.get('exception')!r}")
    )
    before = descriptors()
    async with world.running(servers), _served(world, report) as (url, token, pid):
        lanes = _lanes(world, clients, seed, url, token, pid)
        watch = Watch({"the guard that serves HTTP": pid})
        until = asyncio.get_running_loop().time() + seconds
        looking = asyncio.create_task(watch.look_on(max(0.1, seconds / 60), until))
        living = [asyncio.create_task(lane.live(until)) for lane in lanes]
        await _name_stays(watch, lanes)
        for lane, ended in zip(lanes, await asyncio.gather(*living, return_exceptions=True), strict=True):
            if isinstance(ended, BaseException):
                report.wrong.append(f"client {lane.number} failed: {ended!r}")
        await looking
        for lane in lanes:
            if isinstance(lane, InsideLane):
                lane.end()
        report.growth = watch.growth()
        report.wrong += watch.leaks()
    await _look_for_leftovers(home, report, before)
    _check_ledgers(world, report)
    return report


def _lanes(world: World, clients: int, seed: int, url: str, token: str, pid: int) -> list[Lane]:
    kinds: list[Callable[[int], Lane]] = [
        lambda number: StdioLane(world, number, seed, modern=False, stays=True),
        lambda number: HttpLane(world, number, seed, url=url, token=token, pid=pid, modern=True),
        lambda number: StdioLane(world, number, seed, modern=True, stays=True),
        lambda number: HttpLane(world, number, seed, url=url, token=token, pid=pid, modern=False),
        lambda number: InsideLane(world, number, seed),
        lambda number: StdioLane(world, number, seed, modern=False, stays=False),
        lambda number: HttpLane(world, number, seed, url=url, token=token, pid=pid, modern=False),
        lambda number: StdioLane(world, number, seed, modern=True, stays=False),
    ]
    return [kinds[number % len(kinds)](number) for number in range(clients)]


async def _name_stays(watch: Watch, lanes: list[Lane]) -> None:
    """Watch the guards of the clients that stay, once they are there."""
    for lane in lanes:
        if isinstance(lane, StdioLane) and lane._stays:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ENDS_WITHIN):
                    while lane._client is None:
                        await asyncio.sleep(0.01)
                watch.pids[f"the guard of client {lane.number} ({'modern' if lane._modern else 'legacy'})"] = (
                    lane.client.pid
                )


@asynccontextmanager
async def _served(world: World, report: Report) -> AsyncIterator[tuple[str, str, int]]:
    """The guard that serves HTTP: its URL, its token and its pid."""
    pipe = asyncio.subprocess.PIPE
    words, null = world.guard("--http", "127.0.0.1:0"), asyncio.subprocess.DEVNULL
    guard = await asyncio.create_subprocess_exec(
        *words, env=world.environment, cwd=world.home, stdin=null, stdout=null, stderr=pipe
    )
    assert guard.stderr is not None
    url = await _line(guard.stderr, r"serving (http\S+)")
    token = await _line(guard.stderr, r"bearer token: in (.+)")
    reading = asyncio.create_task(_errors_in(guard.stderr))
    try:
        yield url, Path(token).read_text(), guard.pid
    finally:
        guard.terminate()
        try:
            async with asyncio.timeout(ENDS_WITHIN):
                report.wrong += await reading
                if await guard.wait() != 0:
                    report.wrong.append(f"the guard that serves HTTP ended with {guard.returncode}")
        except TimeoutError:
            report.wrong.append("the guard that serves HTTP did not end")
            guard.kill()
            await guard.wait()


async def _errors_in(stream: asyncio.StreamReader) -> list[str]:
    """Read all that it says; what tells of an error inside the guard is kept."""
    found = []
    while line := await stream.readline():
        text = line.decode(errors="replace")
        if any(sign in text for sign in ("inside the guard", "mcp_guard/", "Exception in callback")):
            found.append(text.strip()[:300])
    return found


async def _look_for_leftovers(home: Path, report: Report, before: dict[int, str]) -> None:
    """Processes anywhere, and tasks and descriptors of this process, where one gateway lived."""
    if not await none_left(str(home)):
        report.wrong += [f"still runs: {line[:200]}" for line in processes_with(str(home))]
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(ENDS_WITHIN):  # of the loop's time: what closes them may wait its turn
            while len(asyncio.all_tasks()) > 1 or open_files() > len(before):
                await asyncio.sleep(0.01)
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    report.wrong += [f"still waits: {task.get_coro()}" for task in tasks]
    held = descriptors()
    if len(held) <= len(before):
        return
    gc.collect()  # what is left to the collector isn't held by anybody: say which it is
    kept = descriptors()
    report.wrong.append(f"descriptors of this process: {len(before)} -> {len(held)}, {len(kept)} but for garbage")
    for number, place in held.items():
        if before.get(number) != place:
            report.wrong.append(f"{'still open' if number in kept else 'garbage'}: {number} {place}")


def _check_ledgers(world: World, report: Report) -> None:
    """No call executed twice, none without its entry, and as many ends as requests."""
    ledger = report.ledger
    executed = Counter(nonce for path in world.ledgers() for nonce in texts(read_lines(path)))
    executed += ledger.remote
    report.executed = executed.total()
    report.wrong += [f"executed {times} times: {nonce}" for nonce, times in executed.items() if times > 1]
    report.wrong += [f"a second answer: {one}" for one in ledger.twice]
    report.wrong += ledger.broken
    if ledger.asked != ledger.ends.total() + len(ledger.unanswered):
        report.wrong.append(f"{ledger.asked} requests, {ledger.ends.total()} ends")
    with open_for_reading(world.home / "state") as query:
        rows = list(query.entries(Filter()))
    report.entries = len(rows)
    for about, nonce in ledger.unanswered.items():
        report.wrong.append(f"unanswered: {about}, executed {executed[nonce]} times; {_entry_of(world, rows, nonce)}")
        report.wrong.append(ledger.seen.get(about, ""))
    allowed = sum(row.effect == "allow" and row.target == "echo" for row in rows)
    if allowed < report.executed:
        report.wrong.append(f"{report.executed} executed, {allowed} allowed")
    report.wrong += verify(world.home / "state")


def _entry_of(world: World, rows: list[Row], nonce: str) -> str:
    """What the record has of a call in the legacy era: where it was lost."""
    digest = digest_of((world.home / "state" / "digest.key").read_bytes(), nonce)
    found = [row for row in rows if row.body.get("digest") == digest]
    if not found:
        return "not in the record"
    return "; ".join(f"{row.effect} {row.outcome or 'no outcome'} {row.duration_ms} ms {row.note}" for row in found)
