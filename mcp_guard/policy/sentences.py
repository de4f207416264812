"""A document's rules as plain sentences that a person can read aloud before agreeing to them."""

from __future__ import annotations

from datetime import timedelta

from mcp_guard.inspection.obligations import Obligations
from mcp_guard.model import By, Effect, Kind
from mcp_guard.policy.document import Document
from mcp_guard.policy.limits import counts_in_words, limits_in_words
from mcp_guard.policy.order import After
from mcp_guard.policy.rules import Rule, When

ASKED = {By.CLIENT: "the client says that its user agrees", By.PERSON: "a person agrees"}
ASKED[By.CONSOLE] = "a person agrees in the console"


def sentence(document: Document) -> list[str]:
    """One sentence a rule, in the order of the document; before a mandate's rules, one for its task and its end."""
    rules = [rule_sentence(rule) for rule in document.rules]
    if document.needs_mandate:
        rules.insert(0, "Without a mandate, nothing of this.")
    return [_mandate(document), *rules] if document.kind == "mandate" else rules


def rule_sentence(rule: Rule) -> str:
    """`write-project: may call files/write_file with path: ...; nothing else.`"""
    beyond = rule.kind in (Kind.SERVER_REQUEST, Kind.EXTENSION)
    what = _target(rule) if beyond else f"{_target(rule)} with {limits_in_words(rule)}"
    if rule.ref.effect is Effect.DENY:
        said = f"never {_verb(rule)} {what}"
    elif rule.ref.effect is Effect.ASK:
        said = f"only if {ASKED[rule.ref.by]}, each time, it may {_verb(rule)} {what}"
    else:
        said = f"may{f', each time {ASKED[rule.ref.by]},' if rule.asks else ''} {_verb(rule)} {what}"
    return f"{rule.ref.id}: {', '.join([said, *_conditions(rule)])}."


def _mandate(document: Document) -> str:
    if isinstance(document.expires, timedelta):
        end = f"ends {in_words(document.expires)} after it starts"
    else:
        end = f"ends at {document.expires:%Y-%m-%dT%H:%M:%SZ}"
    return f"For this task, which {end}: {document.task.strip()}"


def in_words(span: timedelta) -> str:
    """A span in its largest whole unit: `90 minutes`, `2 hours`."""
    seconds = int(span.total_seconds())
    sizes = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))
    unit, count = next((unit, seconds // size) for unit, size in sizes if seconds % size == 0)
    return f"{count} {unit}{'' if count == 1 else 's'}"


def _verb(rule: Rule) -> str:
    return {
        Kind.TOOL: "call",
        Kind.PROMPT: "use the prompt",
        Kind.RESOURCE: "read a resource of",
        Kind.SERVER_REQUEST: "be asked",
        Kind.EXTENSION: "use, not inspected,",
    }[rule.kind]


def _target(rule: Rule) -> str:
    if rule.effects:
        classes = sorted(rule.effects)
        if rule.is_grant:
            return f"any tool that has no other effect than {' or '.join(classes)}"
        return f"any tool that has the effect {' or '.join(classes)}"
    if rule.kind is Kind.RESOURCE:
        return " or ".join(name.server for name in rule.names)
    if rule.kind is Kind.SERVER_REQUEST:
        return f"by {rule.names[0].server} for {' or '.join(name.target for name in rule.names)}"
    if rule.kind is Kind.EXTENSION:
        return f"{' or '.join(name.target for name in rule.names)} of {rule.names[0].server}"
    return " or ".join(str(name) for name in rule.names)


def _conditions(rule: Rule) -> list[str]:
    said = [] if rule.when is None else _when(rule.when)
    if rule.after is not None:
        said.append(_after(rule, rule.after))
    if rule.once:
        said.append("once a session")
    said += counts_in_words(rule)
    if rule.deny_secrets:
        said.append("only without a secret in it" if rule.is_grant else "where a secret is in it")
    if rule.result:
        said.append(f"of what is answered, {answers_in_words(rule.result)}")
    if rule.until is not None:
        said.append(f"until {rule.until:%Y-%m-%dT%H:%M:%SZ}")
    return said


def answers_in_words(wanted: Obligations) -> str:
    """What is done to answers: `secrets are redacted and text is cut to 20000 characters`."""
    said = ["secrets are redacted"] if wanted.redact else []
    said += [f"each {name} is redacted" for name, _ in wanted.patterns]
    if wanted.strip_hidden:
        said.append("characters that nobody sees are taken out")
    if wanted.types is not None:
        said.append(f"only {' or '.join(sorted(wanted.types))} is passed on")
    if wanted.truncate is not None:
        said.append(f"text is cut to {wanted.truncate} characters")
    if wanted.max_size is not None:
        said.append(f"nothing above {wanted.max_size} bytes is passed on")
    if wanted.quarantine:
        said.append("all is held until a person releases it")
    return " and ".join(said)


def _when(when: When) -> list[str]:
    said = [f"only for {' or '.join(when.principals)}"] if when.principals else []
    said += [f"only {when.window.words}"] if when.window is not None else []
    said += [f"only in a session that has the labels {' and '.join(when.labels)}"] if when.labels else []
    return [*said, f"only in a session without the label {' or '.join(when.no_labels)}"] if when.no_labels else said


def _after(rule: Rule, after: After) -> str:
    if rule.is_grant:
        return f"only after {' and '.join(after.names)}"
    often = f" {after.times} times together" if after.times > 1 else ""
    return f"once {' or '.join(after.names)} was used{often} in the session"
