"""Which version of a guard's files is in force, after whatever an agent did to them on disk."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_guard.accepting.gate import settle
from mcp_guard.accepting.stacks import Asked
from mcp_guard.errors import GuardError, InputError
from mcp_guard.lock.pins import Pin, PinKind
from mcp_guard.lock.servers import Lock, ServerPin
from mcp_guard.lock.text import lock_text
from mcp_guard.model import Call, Effect
from mcp_guard.policy.decide import decide
from mcp_guard.policy.document import Authority
from mcp_guard.record.verify import verify
from tests.accepting.house import NOON, House, at_most, limit
from tests.policy.scene import Still

TASK = """version: 1
task: pay
expires: 30m
grants: [{id: pay, tool: bank/pay, args: any, budget: {calls: 1, per: mandate}}]
"""
SERVERS = "version: 1\npolicy: policy.yaml\nservers:\n  a: {command: [one]}\n"


@pytest.fixture
def house(tmp_path: Path) -> House:
    found = House(tmp_path / "home")
    found.policy.write_text(at_most(5))
    return found


def test_the_first_sight_is_accepted_and_the_same_again_says_nothing(house: House) -> None:
    assert house.start().first == (house.policy,)
    again = house.start()
    assert (again.first, again.acceptances, again.changed) == ((), (), ())


def test_a_wider_version_waits_over_restarts_until_a_person_accepts_it(house: House) -> None:
    accepted = limit(house.start())
    house.policy.write_text(at_most(50))
    for _ in range(2):
        standing = house.start()
        assert limit(standing) == accepted
        assert standing.changed == (house.policy,)
    house.accept()
    standing = house.start()
    assert standing.changed == ()
    assert limit(standing) != accepted
    assert verify(house.state) == []


@pytest.mark.parametrize("harm", ["broken", "gone", "directory", "link", "no YAML"])
def test_a_file_that_does_not_load_leaves_the_accepted_version_in_force(house: House, harm: str) -> None:
    accepted = limit(house.start())
    house.policy.unlink()
    match harm:
        case "broken":
            house.policy.write_text("version: 1\ngrant: []\n")
        case "no YAML":
            house.policy.write_bytes(b"\xff{")
        case "directory":
            house.policy.mkdir()
        case "link":
            house.policy.symlink_to("nowhere")
        case _:
            pass
    standing = house.start()
    assert limit(standing) == accepted
    assert standing.broken


def test_a_file_that_never_loaded_stops_the_start(house: House) -> None:
    house.policy.write_text("version: 1\ngrant: []\n")
    with pytest.raises(InputError, match="grant"):
        house.start()


def test_a_narrower_version_counts_at_once_and_the_older_one_is_wider_from_then_on(house: House) -> None:
    first = limit(house.start())
    house.policy.write_text(at_most(3))
    narrowed = house.start()
    assert narrowed.narrowed == (house.policy,)
    assert limit(narrowed) != first
    house.policy.write_text(at_most(5))
    back = house.start()
    assert limit(back) == limit(narrowed)
    assert back.changed == (house.policy,)
    assert verify(house.state) == []


def test_what_is_narrower_for_one_project_is_not_taken_over_to_another(house: House) -> None:
    inside = "version: 1\ngrants: [{id: r, tool: f/r, args: {path: {under: %s}}}]\n"
    house.policy.write_text(inside % "$project")
    one, other = (Asked(policy=house.policy, settings={"project": name}) for name in ("/srv/one", "/srv/other"))
    house.start(one)
    house.policy.write_text(inside % "/srv/one")
    assert house.start(one).narrowed == (house.policy,)
    assert house.start(other).changed == (house.policy,)


def test_a_new_variable_or_mandate_carries_no_edited_policy_in(house: House) -> None:
    accepted = limit(house.start())
    house.policy.write_text(at_most(50))
    house.mandate.write_text(TASK)
    for asked in (Asked(policy=house.policy, mandate=house.mandate), Asked(policy=house.policy, settings={"x": "1"})):
        assert limit(house.start(asked)) == accepted


def test_a_mandate_that_says_anything_else_waits_for_its_clock_would_begin_anew(house: House) -> None:
    asked = Asked(policy=house.policy, mandate=house.mandate)
    house.mandate.write_text(TASK)
    house.start(asked)
    house.mandate.write_text(TASK.replace("pay\n", "pay less\n"))
    assert house.start(asked).changed == (house.mandate,)
    house.mandate.write_text(f"# the same\n{TASK}")
    assert house.start(asked).changed == ()


def test_a_counted_grant_under_another_name_waits(house: House) -> None:
    counted = "version: 1\ngrants: [{id: %s, tool: bank/pay, args: any, budget: {calls: 1}}]\n"
    house.policy.write_text(counted % "pay")
    house.start()
    house.policy.write_text(counted % "again")
    assert house.start().changed == (house.policy,)
    house.policy.write_text(counted % "pay" + "deny: [{id: no, tool: bank/pay, args: {amount: {above: 9}}}]\n")
    assert house.start().narrowed == (house.policy,)


@pytest.mark.parametrize(
    ("edit", "waits"),
    [
        (("one", "two"), True),
        (("version: 1\n", "version: 1\nset: {project: /srv}\n"), True),
        (("policy.yaml", "other.yaml"), True),
        (("[one]", "[one], env: [TOKEN]"), True),
        (("servers:", "servers:\n  b: {url: 'https://b.example'}"), True),
        (("  b: {command: [b]}\n", ""), False),
    ],
)
def test_a_guard_yaml_counts_at_once_only_if_servers_are_gone(
    house: House, edit: tuple[str, str], *, waits: bool
) -> None:
    asked = Asked(config=house.config)
    text = f"{SERVERS}  b: {{command: [b]}}\n" if not waits else SERVERS
    house.config.write_text(text)
    (house.home / "other.yaml").write_text(at_most(50))
    accepted = limit(house.start(asked))
    house.config.write_text(text.replace(*edit))
    standing = house.start(asked)
    assert limit(standing) == accepted
    assert bool(standing.changed) is waits
    assert standing.force.config is not None
    assert (standing.force.plain == house.look(asked).force.plain) and (
        edit[1] in str(standing.force.plain)
    ) is not waits


def test_a_link_that_leads_elsewhere_and_a_replaced_directory_are_changes_of_the_file(house: House) -> None:
    wide = house.home / "wide.yaml"
    wide.write_text(at_most(50))
    accepted = limit(house.start())
    house.policy.unlink()
    house.policy.symlink_to(wide)
    assert limit(house.start()) == accepted
    inner = house.home / "d"
    inner.mkdir()
    (inner / "p.yaml").write_text(at_most(5))
    asked = Asked(policy=inner / "p.yaml")
    house.start(asked)
    shutil.rmtree(inner)
    inner.mkdir()
    (inner / "p.yaml").write_text(at_most(50))
    assert limit(house.start(asked)) == accepted


def test_a_lock_may_lose_things_and_nothing_else_and_its_end_is_accepted_too(house: House) -> None:
    def written(*names: str) -> None:
        pins = {(PinKind.TOOL, name): Pin(PinKind.TOOL, name, "ab" * 32) for name in names}
        lock.write_text(lock_text(Lock({"bank": ServerPin("bank", ("bank",), pins=pins)})))

    house.config.write_text(SERVERS)
    asked, lock = Asked(config=house.config), house.home / "guard.lock"
    house.start(asked)
    written("pay", "list")
    assert house.start(asked).first == (lock,)
    written("pay")
    assert house.start(asked).narrowed == (lock,)
    written("pay", "send")
    assert house.start(asked).changed == (lock,)
    lock.unlink()
    assert house.start(asked).force.lock is not None
    house.accept(asked)
    assert house.start(asked).force.lock is None
    assert verify(house.state) == []


def test_two_starts_at_once_that_saw_different_files_do_not_both_count(house: House) -> None:
    first = house.look()
    house.policy.write_text(at_most(50))
    second = house.look()
    with house.record() as record:
        settle(record, house.state, first.force, first.acceptances, "local:me")
        with pytest.raises(GuardError, match="meanwhile"):
            settle(record, house.state, second.force, second.acceptances, "local:me")


def test_a_row_that_no_entry_has_shows_in_verify(house: House) -> None:
    house.start()
    with house.record() as record:
        record.change(lambda moment: moment.connection.execute("UPDATE accepted SET sha256='ab'"))
    assert "what is accepted isn't what was recorded" in verify(house.state)


@pytest.mark.parametrize("content", [None, at_most(50)])
def test_an_accepted_content_that_is_gone_or_exchanged_is_not_replaced_by_the_disks(
    house: House, content: str | None
) -> None:
    house.start()
    (kept,) = (house.state / "accepted").iterdir()
    kept.unlink()
    if content is not None:
        kept.write_text(content)
    assert house.start().changed == ()  # the file itself still is what was accepted
    kept.unlink(missing_ok=True)
    house.policy.write_text(at_most(50))
    with pytest.raises(GuardError, match="is gone from"):
        house.start()


EDIT = st.tuples(st.integers(0, 6), st.booleans())


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(edits=st.lists(EDIT, min_size=1, max_size=5))
def test_without_a_person_authority_never_gets_wider(tmp_path_factory: pytest.TempPathFactory, edits: list) -> None:  # type: ignore[type-arg]
    house = House(tmp_path_factory.mktemp("house"))
    house.policy.write_text(at_most(4))
    most = reach(house)
    for number, accepts in edits:
        house.policy.write_text(at_most(number))
        if accepts:
            house.accept()
        now = reach(house)
        assert now == number if accepts else now <= most
        assert accepts or now == min(number, most)  # and what is narrower counts
        most = now


def reach(house: House) -> int:
    """The largest amount that a guard which starts now lets through."""
    authority = Authority(house.start().force.layers, NOON)

    def allows(amount: int) -> bool:
        call = Call("me", "tools/call", "bank", "pay", {"name": "pay", "arguments": {"amount": amount}})
        return decide(authority, call, Still()).effect is Effect.ALLOW

    return max(amount for amount in range(-1, 60) if allows(amount))
