"""`python -m benchmarks.suggest.longer`: how much over-block there is by the length of the record.

Made-up working days of an assistant under one policy, always the same: a few files, hosts and people take most of the
calls, and new ones come now and then. No guard runs; the calls are those that the policy allows.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mcp_guard.cli.suggesting import Present, suggestion
from mcp_guard.policy.document import Authority, load_text
from mcp_guard.policy.yaml_source import read_yaml
from mcp_guard.record.was import value_digests
from mcp_guard.report.seen import Seen
from mcp_guard.wire import shape

SIZES = (20, 100, 500, 2000)
HELD_OUT = 0.2
A_SESSION = 20  # calls
BEGIN = datetime(2026, 1, 5, 9, tzinfo=UTC)
KEY = bytes(32)
POLICY = b"""version: 1
grants:
  - {id: read, tool: [files/read_text_file, files/list_directory], args: {path: {under: $project}}}
  - {id: write, tool: files/write_file, args: {path: {under: $project}, content: any}}
  - {id: docs, tool: web/fetch, args: {url: {host_in: [.python.org, .example.com]}}, others: any}
  - {id: mail, tool: mail/send_email, args: {to: {each: {domain_in: [.example.com, example.com]}}, body: any}}
  - {id: pay, tool: bank/transfer_money, args: {amount: {above: 0, max: 500}, recipient: any}, budget: {calls: 50}}
  - {id: never, tool: [files/move_file, bank/close], args: any}
"""
PLACES = ("src", "src/cart", "src/cart/tax", "docs", "tests", "tests/cart", "notes", "build")
HOSTS = ("docs.python.org", "peps.python.org", "shop.example.com", "wiki.example.com", "bugs.python.org")
PEOPLE = ("tomas@example.com", "iris@example.com", "ada@lab.example.com", "jo@shop.example.com")
PAYEES = ("NL70TEST0112233445", "NL68TEST0223344556", "NL66TEST0334455667")


def main() -> None:
    print("| calls | lines made closer | newest fifth | of these refused | over-block |\n|---|---|---|---|---|")
    for size in SIZES:
        calls = list(recorded(size))
        made = suggestion(present(), calls, None, HELD_OUT, lambda path: path)  # made-up files lead to themselves
        held = made.held_out
        cells = (size, len(made.proved.made), held.calls, len(held.refused), f"{held.over_block or 0:.1%}")
        print(f"| {' | '.join(map(str, cells))} |")
    sys.stdout.flush()


def present() -> Present:
    document = load_text(POLICY, file="shop.yaml", kind="policy", variables={"project": "/srv/shop"})
    return Present(Path("shop.yaml"), read_yaml(POLICY, "shop.yaml").value, document, Authority((document,)).digest)


def recorded(size: int) -> Iterator[Seen]:
    """So many calls, the same every time."""
    chance = random.Random(7)  # noqa: S311 - what is wanted is that it repeats itself
    for number in range(size):
        rule, name, arguments = _call(chance)
        known = dict.fromkeys(arguments)
        yield Seen(
            entry=f"00000000-{number}",
            time=BEGIN + timedelta(minutes=number),
            session=str(number // A_SESSION),
            name=name,
            effect="allow",
            rules=(f"policy/{rule}",),
            given=shape(arguments, known),
            values=value_digests(KEY, arguments, known),
            known=arguments,
        )


def _call(chance: random.Random) -> tuple[str, str, dict[str, Any]]:
    kind = chance.choices(("read", "write", "docs", "mail", "pay"), (50, 20, 15, 10, 5))[0]
    path = f"/srv/shop/{_often(chance, PLACES)}/{chance.randrange(200)}.py"
    if kind == "read":
        return "read", "files/read_text_file", {"path": path}
    if kind == "write":
        return "write", "files/write_file", {"path": path, "content": "x" * int(chance.lognormvariate(6, 1))}
    if kind == "docs":
        return "docs", "web/fetch", {"url": f"https://{_often(chance, HOSTS)}/{chance.randrange(99)}"}
    if kind == "mail":
        body = "x" * int(chance.lognormvariate(5, 0.7))
        return "mail", "mail/send_email", {"to": [_often(chance, PEOPLE)], "body": body}
    amount = round(chance.uniform(5, 120), 2)
    return "pay", "bank/transfer_money", {"amount": amount, "recipient": _often(chance, PAYEES)}


def _often(chance: random.Random, choices: tuple[str, ...]) -> str:
    """The earlier ones far more often than the later ones."""
    return chance.choices(choices, [1 / (place + 1) ** 2 for place in range(len(choices))])[0]


if __name__ == "__main__":
    main()
