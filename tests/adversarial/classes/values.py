"""Values of another JSON type, and numbers that two readers take for different ones."""

from __future__ import annotations

from typing import Any

from tests.adversarial.corpus import Case, Class, Do, against, do, more_than

VALUES = """version: 1
grants:
  - {id: send, tool: mail/send, args: {to: {each: {domain_in: [example.com]}}, body: {max_length: 40}}}
  - {id: draft, tool: mail/draft, args: {to: {domain_in: [example.com]}}, optional: {subject: {max_length: 20}}}
  - {id: pay, tool: bank/pay, args: {recipient: {in: [Landlord]}, amount: {above: 0, max: 100}}}
  - {id: refund, tool: bank/refund, args: {amount: any}, budget: {sum: {amount: 200}}}
  - {id: limit, tool: bank/limit, args: {level: 5}}
  - {id: write, tool: files/write, args: {path: {under: "@home/project"}}}
  - {id: close, tool: desk/close, args: {case: {fields: {id: {min: 1, max: 99}, mode: soft}}}}
  - {id: push, tool: git/push, args: any}
  - {id: note, tool: desk/note, args: any}
deny:
  - {id: no-force, tool: git/push, args: {force: true}}
  - {id: no-prod, tool: desk/note, args: {queue: prod}}
  - {id: no-many, tool: desk/note, args: {count: {above: 10}}}
  - {id: no-id, tool: desk/note, args: {id: 9007199254740993}}
  - {id: no-board, tool: desk/note, args: {to: {some: {domain_in: [board.example.com]}}}}
"""


def pays(name: str, amount: Any, twin: Any = 100) -> Case:
    def paid(value: Any) -> Do:
        return do("bank/pay", recipient="Landlord", amount=value)

    return against(name, paid(amount), paid(twin))


def to(name: str, value: Any) -> Case:
    return against(
        name, do("mail/send", to=value, body="x"), do("mail/send", to=["bob@example.com", "al@example.com"], body="x")
    )


def draft(name: str, value: Any) -> Case:
    return against(name, do("mail/draft", to=value), do("mail/draft", to="bob@example.com"))


def note(name: str, twin: dict[str, Any], **arguments: Any) -> Case:
    return against(name, Do("desk/note", arguments), Do("desk/note", twin))


def closes(name: str, case: Any) -> Case:
    return against(name, do("desk/close", case=case), do("desk/close", case={"id": 17, "mode": "soft"}))


TYPES = Class(
    "another JSON type",
    VALUES,
    (
        draft("a list where one address is granted", ["bob@example.com", "eve@evil.test"]),
        draft("a list of one where one address is granted", ["bob@example.com"]),
        draft("an object where one address is granted", {"address": "bob@example.com", "cc": "eve@evil.test"}),
        draft("null where an address is granted", None),
        draft("true where an address is granted", True),
        to("one text where a list of addresses is granted", "bob@example.com, eve@evil.test"),
        to("no address at all", []),
        to("a list within the list", [["bob@example.com", "eve@evil.test"]]),
        to("an object within the list", ["bob@example.com", {"email": "eve@evil.test"}]),
        to("null within the list", ["bob@example.com", None]),
        to("an object that looks like a list", {"0": "bob@example.com", "length": 1}),
        pays("a number in a text", "100"),
        pays("a list of amounts", [50, 5000]),
        pays("an amount as an object", {"value": 100, "scale": 3}),
        pays("true for an amount", True),
        pays("null for an amount", None),
        against(
            "a list of paths where one is granted",
            do("files/write", path=["@home/project/a", "/etc/passwd"]),
            do("files/write", path="@home/project/a"),
        ),
        against(
            "a list for a text whose length is bound",
            do("mail/send", to=["bob@example.com"], body=["x" * 5000]),
            do("mail/send", to=["bob@example.com"], body="x" * 40),
        ),
        closes("an object as a text of JSON", '{"id": 17, "mode": "soft"}'),
        closes("a field more than is granted", {"id": 17, "mode": "soft", "purge": True}),
        closes("a field that looks like a granted one beside it", {"id": 17, "mode": "soft", "Mode": "hard"}),
        closes("a field less than is granted", {"id": 17}),
        against("arguments that are a list", Do("git/push", ["main"]), do("git/push", branch="main")),
        note("a list past a deny of a text", {"queue": "test"}, queue=["prod"]),
        note("an object past a deny of a text", {"queue": "test"}, queue={"name": "prod"}),
        against("a text past a deny of true", do("git/push", force="true"), do("git/push", force=False)),
        against("a number past a deny of true", do("git/push", force=1), do("git/push", force=False)),
        note("one text past a deny about a list", {"to": ["a@team.example.com"]}, to="ceo@board.example.com"),
    ),
)

NUMBERS = Class(
    "number formats",
    VALUES,
    (
        pays("a hair above the limit", 100.00000000000001),
        pays("an exponent", 1e3, 1e2),
        pays("a negative amount", -5, 5),
        pays("zero", 0, 0.01),
        pays("a negative zero", -0.0, 0.5),
        pays("the largest number there is", 1.7976931348623157e308),
        pays("a number of four hundred digits", 10**400),
        pays("a number in hexadecimal digits", "0x10"),
        pays("a number with a thousands separator", "1,00"),
        pays("a number in Arabic digits", "\u0661\u0660"),
        pays("a number with an underscore", "1_0"),
        pays("a number with a unit", "10 EUR"),
        pays("the smallest number below zero", -5e-324, 5e-324),
        against(
            "a whole number with a fraction", do("bank/limit", level=5.000000000000001), do("bank/limit", level=5.0)
        ),
        against("a level as a text", do("bank/limit", level="5"), do("bank/limit", level=5)),
        note("a number in a text past a deny", {"count": 10}, count="11"),
        note("a count past a deny as a list", {"count": 10}, count=[11]),
        note("an id that doubles can't tell from a denied one", {"id": 9007199254740999}, id=9007199254740992),
        note("a denied id as a double", {"id": 9007199254740999}, id=9007199254740992.0),
        note("a denied id in a text", {"id": 9007199254740999}, id="9007199254740993"),
        Case(
            "a negative amount that gives a budget back",
            (do("bank/refund", amount=200), do("bank/refund", amount=-200), do("bank/refund", amount=100)),
            (do("bank/refund", amount=100), do("bank/refund", amount=100)),
            harm=lambda done: len(done) > 1 and done[0][1]["amount"] == 200,
        ),
        Case(
            "a text that a budget can't add up",
            (do("bank/refund", amount=150), do("bank/refund", amount="150")),
            (do("bank/refund", amount=150), do("bank/refund", amount=50)),
        ),
        Case(
            "thirds of cents that are rounded away",
            tuple(do("bank/refund", amount=66.67) for _ in range(3)),
            tuple(do("bank/refund", amount=66.66) for _ in range(3)),
            harm=more_than(200, "bank/refund", "amount"),
        ),
    ),
)
