"""Other spellings: look-alike letters, letter case, white space. Grants must not take them, denies not miss them."""

from __future__ import annotations

from typing import Any

from tests.adversarial.corpus import Case, Class, against, do

TEXTS = """version: 1
grants:
  - {id: send, tool: mail/send, args: {to: {domain_in: [example.com]}, body: any}}
  - {id: pay, tool: bank/pay, args: {recipient: {in: [Landlord, Utility Kiosk]}}}
  - {id: fetch, tool: web/fetch, args: {url: {host_in: [docs.example.com]}}}
  - {id: write, tool: files/write, args: {path: {under: "@home/project", not_name: ["*.env", .git, "secrets.*"]}}}
  - {id: close, tool: desk/close, args: {case: {matches: "CASE-[0-9]+"}}}
  - {id: note, tool: desk/note, args: any}
deny:
  - {id: no-prod, tool: desk/note, args: {queue: prod}}
  - {id: no-words, tool: desk/note, args: {text: {matches: ".*password.*"}}}
  - {id: no-boss, tool: desk/note, args: {to: {domain_in: [board.example.com]}}}
"""


def pays(name: str, value: Any, **more: Any) -> Case:
    return against(name, do("bank/pay", recipient=value), do("bank/pay", recipient="Landlord"), **more)


def sends(name: str, value: Any) -> Case:
    return against(name, do("mail/send", to=value, body="x"), do("mail/send", to="bob@example.com", body="x"))


def fetches(name: str, url: str, twin: str = "https://docs.example.com/a") -> Case:
    return against(name, do("web/fetch", url=url), do("web/fetch", url=twin))


def writes(name: str, path: str, twin: str = "src/main.py") -> Case:
    home = "@home/project/"
    return against(name, do("files/write", path=home + path), do("files/write", path=home + twin))


def closes(name: str, value: str) -> Case:
    return against(name, do("desk/close", case=value), do("desk/close", case="CASE-17"))


def queues(name: str, value: Any, **more: Any) -> Case:
    """A deny that is to be missed."""
    return against(name, do("desk/note", queue=value), do("desk/note", queue="test"), **more)


def tells(name: str, value: str, **more: Any) -> Case:
    return against(name, do("desk/note", text=value), do("desk/note", text="a pass for the gate"), **more)


HOMOGLYPH = Class(
    "homoglyphs",
    TEXTS,
    (
        pays("a Cyrillic letter in a listed name", "L\u0430ndlord"),
        pays("a full-width letter in a listed name", "\uff2candlord"),
        pays("a mathematical letter in a listed name", "\U0001d40bandlord"),
        pays("a capital I for a small l", "LandIord"),
        pays("the Kelvin sign for a K", "Utility \u212aiosk"),
        pays("a soft hyphen within a listed name", "Land\u00adlord"),
        pays("a zero-width joiner within a listed name", "Land\u200dlord"),
        pays("a mark that turns the direction of writing", "\u202eLandlord"),
        sends("a Greek letter in a domain", "bob@ex\u03b1mple.com"),
        sends("a full-width full stop in a domain", "bob@example\uff0ecom"),
        sends("an ideographic full stop in a domain", "bob@example\u3002com"),
        sends("a full-width at sign", "bob\uff20example.com"),
        sends("a domain in Punycode that looks alike", "bob@xn--exmple-cua.com"),
        sends("the long s in a domain", "bob@example.com\u017f"),
        fetches("a Cyrillic letter in a host", "https://d\u043ecs.example.com/"),
        fetches("a fraction slash behind the host", "https://docs.example.com\u2044.evil.test/"),
        fetches("a full-width colon in the scheme", "https\uff1a//docs.example.com/"),
        writes("a full-width full stop before a forbidden ending", "a\uff0eenv"),
        writes("a ligature in a forbidden name", "\u017fecrets.txt"),
        closes("Arabic digits where digits are granted", "CASE-\u0661\u0662"),
        closes("full-width digits where digits are granted", "CASE-\uff11"),
        queues("full-width letters past a deny", "\uff50rod"),
        queues("a zero-width space past a deny", "pr\u200bod"),
        queues("a variation selector past a deny", "prod\ufe0f"),
        tells("a ligature-like letter past a denied pattern", "the pa\u017f\u017fword is"),
        queues(
            "a Cyrillic letter past a deny",
            "pr\u043ed",
            through="to most servers it is another queue; a deny stops what reads the same, not what looks the same",
        ),
    ),
)

CASE = Class(
    "letter case",
    TEXTS,
    (
        pays("a listed name in capitals", "LANDLORD"),
        pays("a listed name in small letters", "landlord"),
        pays("a listed name with one other letter", "LandLord"),
        writes("a forbidden ending in capitals", "A.ENV"),
        writes("a forbidden directory in mixed case", ".Git/config", ".github/x.yml"),
        writes("a forbidden name in mixed case", "Secrets.YAML", "secret-santa.yaml"),
        against(
            "the project's directory in capitals",
            do("files/write", path="@home/PROJECT/a"),
            do("files/write", path="@home/project/a"),
        ),
        closes("small letters where a pattern has capitals", "case-17"),
        queues("a denied queue in capitals", "PROD"),
        queues("a denied queue with a capital", "Prod"),
        tells("a denied word in capitals", "the PASSWORD is"),
        tells("a denied word in mixed case", "the PassWord is"),
        against(
            "a denied domain in capitals",
            do("desk/note", to="a@BOARD.example.COM"),
            do("desk/note", to="a@team.example.com"),
        ),
        sends("a domain whose capital dotted I folds to more than one letter", "bob@EXAMPLE.\u0130O"),
        fetches("another host in capitals", "HTTPS://EVIL.EXAMPLE.COM/", "HTTPS://DOCS.EXAMPLE.COM/a"),
    ),
)

WHITESPACE = Class(
    "white space and invisible characters",
    TEXTS,
    (
        pays("a space behind a listed name", "Landlord "),
        pays("a space before a listed name", " Landlord"),
        pays("a line break behind a listed name", "Landlord\n"),
        pays("a second line behind a listed name", "Landlord\nMallory"),
        pays("a NUL behind a listed name", "Landlord\0Mallory"),
        pays("a no-break space within a listed name", "Utility\u00a0Kiosk"),
        pays("two spaces within a listed name", "Utility  Kiosk"),
        sends("a header behind the address", "bob@example.com\r\nBcc: eve@evil.test"),
        sends("a space behind the address, and another one", "bob@example.com eve@evil.test"),
        sends("a tab within the domain", "bob@exam\tple.com"),
        sends("an address that ends with a line separator", "bob@example.com\u2028"),
        fetches("a tab within the host", "https://docs.example\t.com/"),
        fetches("a line break that ends the request", "https://docs.example.com/ HTTP/1.1\r\nHost: evil.test"),
        fetches("a space before the scheme", " https://docs.example.com/"),
        writes("a space behind a forbidden ending", "a.env "),
        writes("a line break within a forbidden ending", "a.en\nv"),
        writes("a NUL behind an allowed ending", "a.env\0.txt"),
        writes("dots and spaces behind a forbidden ending", "a.env. ."),
        closes("a line break behind what the pattern matches", "CASE-17\n"),
        closes("a second line behind what the pattern matches", "CASE-17\nCASE-18"),
        queues("a space behind a denied queue", "prod "),
        queues("a line break before a denied queue", "\nprod"),
        queues("a tab within a denied queue", "prod\t"),
        tells("a line break before a denied word", "hello\nthe password is"),
        tells("a zero-width space within a denied word", "the pass\u200bword is"),
        tells(
            "a space within a denied word",
            "the pass word is",
            through="a pattern is about the text as it stands; forbidding words in free text stops slips, not people",
        ),
    ),
)
