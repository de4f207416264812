"""The codes of the record are listed, each with a schema and an example, and nothing else is ever written."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from click.testing import CliRunner

from mcp_guard.accepting.local import told
from mcp_guard.accepting.local_text import Rule
from mcp_guard.cli.app import app
from mcp_guard.history.index import TRUSTED, Row
from mcp_guard.model import By, Charge, Effect, Otherwise, Outcome
from mcp_guard.record import questions, reported, stops
from mcp_guard.record.accepted import PERSON, Acceptance, accept
from mcp_guard.record.codes import CODES, json_schema, markdown
from mcp_guard.record.entries import NOTES, EntryKind, note_body
from mcp_guard.record.keys import signing_seed
from mcp_guard.record.query import open_for_reading
from mcp_guard.record.questions import Asking
from mcp_guard.record.reported import Report
from mcp_guard.record.signing import Signer
from mcp_guard.record.store import Record
from tests.fixtures.client import RpcError
from tests.guards import Stand
from tests.record.examples import PAY, Clock, allow, deny, open_record, request

DOCUMENT = Path(__file__).parents[2] / "docs" / "record.md"
VALIDATOR = jsonschema_rs.validator_for(json_schema())


def problems(directory: Path) -> dict[str, str]:
    """By kind: what of the written entries no schema takes."""
    with open_for_reading(directory) as query:
        written = [body for _, _, body in query.raw()]
    return {body["kind"]: _problem(body) for body in written if not VALIDATOR.is_valid(body)}


def _problem(body: dict[str, Any]) -> str:
    own = jsonschema_rs.validator_for(dict(CODES[EntryKind(body["kind"])].schema))
    return "; ".join(error.message for error in own.iter_errors(body))


def test_every_kind_has_its_code() -> None:
    assert set(CODES) == set(EntryKind)


@pytest.mark.parametrize("kind", CODES)
def test_an_example_is_of_its_kind_and_fits_its_schema_alone(kind: EntryKind) -> None:
    example = CODES[kind].example
    assert (example["kind"], _problem(dict(example))) == (kind.value, "")
    assert VALIDATOR.is_valid(example)
    assert not VALIDATOR.is_valid({**example, "kind": "gossip"})
    assert not VALIDATOR.is_valid({**example, "more": 1})


def test_the_guide_lists_every_code() -> None:
    between = DOCUMENT.read_text().partition("<!-- codes -->\n")[2].partition("\n<!-- /codes -->")[0]
    assert between == markdown(), "python -c 'from mcp_guard.record.codes import markdown; print(markdown())'"


def test_the_schema_is_printed() -> None:
    done = CliRunner().invoke(app, ["log", "schema"], standalone_mode=False)
    assert json.loads(done.stdout) == json.loads(json.dumps(json_schema()))


def answers(record: Record, clock: Clock) -> None:
    """One question for each end that it can come to, an answer for the session, a stop and its undoing."""
    clauses = CODES[EntryKind.STANDING].example["data"]["clauses"]
    for name in ("approved-1", "refused-2", "withdrawn-3"):
        asking = Asking(name, record.session, "d1", "a1", "", (PAY.key,), By.PERSON)
        record.change(lambda moment, one=asking: questions.ask(moment, one, timedelta()))  # type: ignore[misc]
    record.change(lambda moment: questions.stand(moment, "approved-1", clauses, "yes", "me", By.PERSON))
    record.change(lambda moment: questions.approve(moment, "approved-1", "me", By.PERSON))
    record.change(lambda moment: questions.refuse(moment, "refused-2", "me"))
    record.change(lambda moment: questions.withdraw(moment, "withdrawn-3"))
    record.change(lambda moment: questions.ask(moment, replace(asking, entry="lapsed-4"), timedelta()))
    clock.now += questions.QUESTION_LIFE
    record.change(questions.lapse)
    record.change(lambda moment: stops.halt(moment, "server:files", "by me"))
    record.change(lambda moment: stops.resume(moment, "server:files"))


def every_kind(record: Record, clock: Clock) -> None:
    """One of each, with the data of its example where a guard gives the data."""
    record.step(request(values={"amount": "ab"}), deny)
    entry = record.step(request(), allow(Charge(PAY.key)))
    record.finish(entry, Outcome.NOT_SENT, duration_ms=0, refund=True, note="gone")
    record.first_sight("bank:ab12", ["transfer_money"])
    record.first_pins("bank:ab12", {"tool:transfer_money": "ab"})
    record.exposed(record.session, "bank", frozenset({"untrusted"}), "a log message")
    record.clear_labels(record.session, "local:me")
    record.renew(record.session, "local:me")
    record.started("mandate:me")
    record.set_clock()
    record.exposed(record.session, "web", frozenset({"untrusted"}), "a log message")
    record.clear_labels(record.session, "local:me")
    record.renew(record.session, "local:me")
    seen = record.step(request(), allow())
    record.finish(seen, Outcome.OK, duration_ms=1, seen=lambda _: [Row(b"1" * 16, "a/b", "", TRUSTED)])
    record.exposed(record.session, "files", frozenset({"untrusted"}), "instructions")
    record.clear_labels(record.session, "local:me")
    record.renew(record.session, "local:me")
    answers(record, clock)
    policy = Acceptance("policy", "/p.yaml", "ab", "", "cd", PERSON)
    record.change(lambda moment: accept(moment, policy, "local:me"))
    report = Report(seen.id, record.session, "bank", "transfer_money", {"amount": "ab"}, "local/1", "why", "me")
    record.change(lambda moment: reported.report(moment, report))
    otherwise = Otherwise(Effect.DENY, "no_grant", ("policy/pay",))
    record.step(request(), lambda view: replace(allow()(view), otherwise=otherwise))
    said = told(Rule("3", "mail/send", {"to": "eve"}, "why"), "ab" * 32, "local:me", undone=False)
    record.change(lambda moment: moment.append(note_body(EntryKind.REVOKED, record.chain, said)))
    for kind in sorted(NOTES):
        record.note(kind, CODES[kind].example["data"])
    record.checkpoint(Signer(signing_seed(record.directory)))


def test_what_the_record_writes_fits_the_schema(tmp_path: Path) -> None:
    clock = Clock()
    with open_record(tmp_path, clock=clock) as record:
        every_kind(record, clock)
    assert problems(record.directory) == {}
    with open_for_reading(record.directory) as query:
        kinds = {body["kind"] for _, _, body in query.raw()}
    assert kinds == set(EntryKind)


async def test_what_a_guard_in_use_writes_fits_the_schema(tmp_path: Path) -> None:
    stand = Stand(tmp_path)

    async with stand.wrap() as client:
        await client.initialize()
        await client.list_all()
        await client.call("echo", {"text": "x"})
        with pytest.raises(RpcError):
            await client.call("nothing", {})
    assert problems(stand.state) == {}
    with open_for_reading(stand.state) as query:
        kinds = {body["kind"] for _, _, body in query.raw()}
    assert kinds >= {"opened", "decision", "outcome", "loaded", "first_sight", "server_started", "stopped"}
