"""The guard is killed at random instants while calls run: no executed call is unrecorded, and nothing stays behind."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections import Counter
from pathlib import Path

import pytest

from mcp_guard.wire import keyed_digest
from tests.fixtures.client import Gone
from tests.guards import Stand

KILLS = int(os.environ.get("MCP_GUARD_KILLS", "12"))
"""`make test` kills a dozen times; MCP_GUARD_KILLS=50 is the full run."""
LONGEST = 0.12  # seconds of calls before a kill


def processes_with(marker: str) -> list[str]:
    """Command lines of live processes that have the marker in them."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if marker in words:
                found.append(words)
    return found


async def none_left(marker: str) -> bool:
    """The warden has bounded waits; this waits a little longer than they may take."""
    for _ in range(800):
        if not processes_with(marker):
            return True
        await asyncio.sleep(0.01)
    return False


def digest_of(key: bytes, nonce: str) -> str:
    params = {"name": "echo", "arguments": {"text": nonce, "nonce": nonce}}
    return keyed_digest(key, {"method": "tools/call", "params": params})


async def fire_until_killed(stand: Stand, round_number: int, seconds: float, marker: str) -> int:
    """Calls without a pause, 16 under way at a time, from the start until the kill. How many were answered."""
    answered = 0
    command = [*stand.server("raw"), "--trace", str(stand.home / f"{marker}.trace")]
    async with stand.wrap(server=command) as client:
        await client.initialize()

        async def caller(lane: int) -> None:
            nonlocal answered
            for number in range(100_000):
                nonce = f"{round_number}-{lane}-{number}"
                await client.call("echo", {"text": nonce, "nonce": nonce})
                answered += 1

        lanes = [asyncio.create_task(caller(lane)) for lane in range(16)]
        await asyncio.sleep(seconds)  # the random instant itself
        client.kill()
        ended = await asyncio.gather(*lanes, return_exceptions=True)
        assert all(isinstance(end, Gone | ConnectionError) for end in ended), ended
    return answered


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for processes in /proc")
async def test_a_guard_killed_at_any_instant_leaves_no_executed_call_unrecorded_and_no_process(tmp_path: Path) -> None:
    chance = random.Random(20261231)
    stand = Stand(tmp_path)
    marker = f"killed-{os.getpid()}-{chance.randrange(2**32)}"
    answered = 0
    for number in range(KILLS):
        answered += await fire_until_killed(stand, number, chance.uniform(0, LONGEST), marker)
    assert await none_left(marker), processes_with(marker)

    nonces = [line["nonce"] for line in stand.ledger()]
    key = (stand.state / "digest.key").read_bytes()
    allowed = Counter(row.body["digest"] for row in stand.decisions() if row.effect == "allow")
    executed = Counter(digest_of(key, nonce) for nonce in nonces)
    assert executed
    assert not executed - allowed
    assert max(executed.values()) == 1  # and none was executed twice
    outcomes = sum(row.outcome == "ok" for row in stand.decisions())
    assert outcomes >= answered  # what a client saw has its outcome
    assert stand.verified() == []
    print(f"\n{KILLS} kills: {answered} answered, {len(nonces)} executed, {allowed.total()} allowed, 0 unrecorded")
