"""What each constraint answers, above all to values that are meant to slip by."""

from __future__ import annotations

import pytest

from mcp_guard.model import Answer
from mcp_guard.policy.constraints import ConstraintError, compile_check, failure, parse_constraint
from tests.policy.constraint_doubles import PLAIN, FakeFiles

YES, NO, UNSURE = Answer.YES, Answer.NO, Answer.UNSURE

VARIABLES = {"project": "/srv/project", "domain": "example.com"}

LINKS = FakeFiles(
    links={
        "/srv/project/out": "/etc",
        "/srv/project/notes": "/srv/project/.env",
        "/mnt/in": "/srv/project",
        "/srv/safe.md": "/srv/secret",
        "/srv/Project": "/var/other",
    }
)


def answer(data: object, value: object, facts: FakeFiles = PLAIN) -> Answer:
    constraint = parse_constraint(data, in_grant=False, variables=VARIABLES, home="/home/ann")
    return compile_check(constraint)(value, facts)


@pytest.mark.parametrize(
    ("data", "value", "expected"),
    [
        # any
        ("any", None, YES),
        ("any", {"a": [1]}, YES),
        # literals: exact JSON type, and no clear NO for what a careless reader takes for the same
        ("force", "force", YES),
        ("force", "soft", NO),
        ("force", "FORCE", UNSURE),
        ("force", " force\n", UNSURE),
        ("force", "\uff46\uff4f\uff52\uff43\uff45", UNSURE),
        ("force", "for\u200bce", UNSURE),
        ("force", "for\0ce", UNSURE),
        ("force", ["force"], UNSURE),
        ("force", None, UNSURE),
        ("force", True, UNSURE),
        ("a/b", "a//b", UNSURE),
        ("a/b", "a%2Fb", UNSURE),
        ("a/b", "a%252fb", UNSURE),
        ("a/b", "x/../a\\b", UNSURE),
        ("a/b", "a/c", NO),
        (1, 1, YES),
        (1, 1.0, YES),
        (1.0, 1, YES),
        (1, True, UNSURE),
        (True, 1, UNSURE),
        (True, True, YES),
        (True, False, NO),
        (True, "true", UNSURE),
        (5, "5", UNSURE),
        ("5", 5, UNSURE),
        (5, 6, NO),
        (0, False, UNSURE),
        (0, -0.0, YES),
        (9007199254740993, 9007199254740992.0, UNSURE),
        (0.1, 0.1, YES),
        (0.1, 0.1000000000000001, NO),
        (5, float("nan"), UNSURE),
        (5, float("inf"), UNSURE),
        # a literal that is an absolute path is a file, however it is reached
        ("/etc/passwd", "/etc/passwd", YES),
        ("/etc/passwd", "/etc/./passwd", UNSURE),
        ("/etc/passwd", "/etc/passwd/", UNSURE),
        ("/etc/passwd", "/ETC/passwd", UNSURE),
        ("/etc/passwd", "passwd", UNSURE),
        ("/etc/passwd", "/etc/hosts", NO),
        ("~/bills/bill.txt", "/home/ann/bills/bill.txt", YES),
        ("~/bills/bill.txt", "~/bills/bill.txt", YES),
        ("~/bills/bill.txt", "/home/ann/bills/../bills/bill.txt", UNSURE),
        ("~/bills/bill.txt", "/home/ann/bills/other.txt", NO),
        # in, not_in
        ({"in": ["alice", "bob"]}, "bob", YES),
        ({"in": ["alice", "bob"]}, "eve", NO),
        ({"in": ["alice", "bob"]}, "Bob", UNSURE),
        ({"in": ["alice", 1]}, "1", UNSURE),
        ({"in": ["alice", 1]}, 1.0, YES),
        ({"in": [1, 2]}, True, UNSURE),
        ({"not_in": ["prod"]}, "dev", YES),
        ({"not_in": ["prod"]}, "prod", NO),
        ({"not_in": ["prod"]}, "PROD", UNSURE),
        ({"not_in": ["prod"]}, "prod ", UNSURE),
        ({"not_in": ["prod"]}, ["prod"], UNSURE),
        ({"not_in": [1]}, "1", UNSURE),
        ({"not_in": ["/etc/passwd"]}, "/etc/../etc/passwd", UNSURE),
        ({"not_in": ["/etc/passwd"]}, "/srv/x", YES),
        # limits: exact, no coercion
        ({"above": 0, "max": 100}, 100, YES),
        ({"above": 0, "max": 100}, 100.0, YES),
        ({"above": 0, "max": 100}, 100.00000000000001, NO),
        ({"above": 0, "max": 100}, 0, NO),
        ({"above": 0, "max": 100}, 5e-324, YES),
        ({"above": 0, "max": 100}, -1, NO),
        ({"above": 0, "max": 100}, True, UNSURE),
        ({"above": 0, "max": 100}, "5", UNSURE),
        ({"above": 50}, "60", UNSURE),
        ({"above": 50}, [60], UNSURE),
        ({"above": 50}, None, UNSURE),
        ({"max": 100}, float("nan"), UNSURE),
        ({"max": 100}, float("-inf"), UNSURE),
        ({"max": 9007199254740992}, 9007199254740993, NO),
        ({"max": 0.1}, 0.1, YES),
        ({"below": 0.3}, 0.30000000000000004, NO),
        ({"max": 1e23}, 10**23, YES),
        ({"max": 1e23}, 10**23 + 1, NO),
        ({"min": 2, "below": 3}, 2, YES),
        ({"min": 2, "below": 3}, 3, NO),
        # max_length, matches
        ({"max_length": 3}, "\u00e4\u00f6ü", YES),
        ({"max_length": 3}, "\U0001f600" * 3, YES),
        ({"max_length": 3}, "abcd", NO),
        ({"max_length": 3}, ["a"], UNSURE),
        ({"matches": "[a-z]+"}, "abc", YES),
        ({"matches": "[a-z]+"}, "abc1", NO),
        ({"matches": "[a-z]+"}, "abc\n", UNSURE),
        ({"matches": "[a-z]+"}, "1\nabc", NO),
        ({"matches": "a|b"}, "ab", NO),
        ({"matches": "a|b"}, "b", YES),
        ({"matches": "a$|b"}, "a\nb", NO),
        ({"matches": r"\d"}, "\u0663", NO),
        ({"matches": "rm .*"}, "rm x\ny", UNSURE),
        ({"matches": "rm .*"}, "RM x", UNSURE),
        ({"matches": "rm .*"}, "\uff52\uff4d x", UNSURE),
        ({"matches": "rm .*"}, "ls", NO),
        ({"matches": "rm .*"}, "rm \ud800", UNSURE),
        ({"matches": "rm .*"}, 5, UNSURE),
        # under
        ({"under": "/srv/project"}, "/srv/project", YES),
        ({"under": "/srv/project"}, "/srv/project/", YES),
        ({"under": "/srv/project"}, "/srv/project/src/a.py", YES),
        ({"under": "/srv/project/"}, "/srv/project/src/a.py", YES),
        ({"under": "$project"}, "/srv/project/a", YES),
        ({"under": "$project/src"}, "/srv/project/a", NO),
        ({"under": "~"}, "/home/ann/x", YES),
        ({"under": "/srv/project"}, "/srv/project2/a", NO),
        ({"under": "/srv/project"}, "/srv/projectile", NO),
        ({"under": "/srv/project"}, "/srv", NO),
        ({"under": "/srv/project"}, "/etc/passwd", NO),
        ({"under": "/srv/project"}, "/srv/Project/a", UNSURE),
        ({"under": "/srv/project"}, "/SRV/PROJECT", UNSURE),
        ({"under": "/srv/project"}, "/srv/project/../../etc/passwd", UNSURE),
        ({"under": "/srv/project"}, "/etc/../srv/project/a", UNSURE),
        ({"under": "/srv/project"}, "/srv/project/./a", UNSURE),
        ({"under": "/srv/project"}, "/srv/project//a", UNSURE),
        ({"under": "/srv/project"}, "//srv/project/a", UNSURE),
        ({"under": "/srv/project"}, "/srv/project/%2e%2e/x", UNSURE),
        ({"under": "/srv/project"}, "/srv/project/%2E%2e%2Fx", UNSURE),
        ({"under": "/srv/project"}, "/srv/project/\uff0e\uff0e/x", UNSURE),
        ({"under": "/srv/project"}, "/srv/project/..\\x", UNSURE),
        ({"under": "/srv/project"}, "/srv/project/a\0.txt", UNSURE),
        ({"under": "/srv/project"}, "/srv/project/\u202etxt", UNSURE),
        ({"under": "/srv/project"}, "/srv/project/... /x", UNSURE),
        ({"under": "/srv/project"}, "src/a.py", UNSURE),
        ({"under": "/srv/project"}, "~/x", UNSURE),
        ({"under": "/srv/project"}, "", UNSURE),
        ({"under": "/srv/project"}, "file:///srv/project/a", UNSURE),
        ({"under": "/srv/project"}, ["/srv/project/a"], UNSURE),
        ({"under": "file:///srv/project"}, "file:///srv/project/a", YES),
        ({"under": "file:///srv/project"}, "file:///etc/passwd", NO),
        ({"under": "file:///srv/project"}, "/srv/project/a", UNSURE),
        ({"under": "file:///srv/project"}, "file://host/srv/project/a", UNSURE),
        ({"under": "file:///srv/project"}, "file:///srv/project/%61", UNSURE),
        ({"under": "file:///srv/project"}, "file:///srv/project/a?x", UNSURE),
        ({"under": "file:///srv/project"}, "FILE:///srv/project/a", UNSURE),
        ({"under": "/"}, "/etc", YES),
        # within
        ({"within": "."}, "src/a.py", YES),
        ({"within": "."}, ".", YES),
        ({"within": "."}, "./src", UNSURE),
        ({"within": "."}, "../x", UNSURE),
        ({"within": "."}, "a/../../x", UNSURE),
        ({"within": "."}, "-rf", UNSURE),
        ({"within": "."}, "~/x", UNSURE),
        ({"within": "."}, "$HOME/x", UNSURE),
        ({"within": "."}, "host:/etc", UNSURE),
        ({"within": "."}, "/etc/passwd", NO),
        ({"within": "."}, "/srv/project/a", UNSURE),
        ({"within": "."}, "", UNSURE),
        ({"within": "."}, 1, UNSURE),
        # not_name
        ({"not_name": ["*.env", "id_*"]}, "/srv/a.py", YES),
        ({"not_name": ["*.env"]}, "src/a.py", YES),
        ({"not_name": ["*.env"]}, "/srv/.env", NO),
        ({"not_name": ["*.env"]}, "/srv/.ENV", NO),
        ({"not_name": ["*.ENV"]}, "/srv/x.env", NO),
        ({"not_name": ["*.env"]}, "/srv/.env/a", NO),
        ({"not_name": ["*.env"]}, "/srv/.env/", NO),
        ({"not_name": ["*.env"]}, "/srv/.envrc", YES),
        ({"not_name": ["*.env"]}, "/srv/.env.", UNSURE),
        ({"not_name": ["*.env"]}, "/srv/.env /x", UNSURE),
        ({"not_name": ["*.env"]}, "/srv/.env::$DATA", UNSURE),
        ({"not_name": ["*.env"]}, "/srv/.%65nv", UNSURE),
        ({"not_name": ["*.env"]}, "/srv/\uff0eenv", UNSURE),
        ({"not_name": ["*.env"]}, "/srv/.e\u200bnv", UNSURE),
        ({"not_name": ["*.env"]}, "~/.env", UNSURE),
        ({"not_name": ["*.env"]}, 5, UNSURE),
        ({"not_name": ["id_?sa"]}, "/home/ann/.ssh/id_rsa", NO),
        ({"not_name": ["id_?sa"]}, "/home/ann/.ssh/id_sa", YES),
        ({"not_name": ["*key*old*"]}, "/a/my-key-is-old.txt", NO),
        ({"not_name": ["*key*old*"]}, "/a/old-key.txt", YES),
        ({"not_name": ["a+b"]}, "/aab", YES),
        ({"not_name": ["a*b"]}, "/a/b", YES),
        ({"not_name": ["a?b"]}, "/a/b", YES),
        ({"not_name": ["*"]}, "a", NO),
        ({"not_name": ["b"]}, "/ab/bc", YES),
        ({"not_name": ["b", "cd"]}, "/ab/cd/e", NO),
        ({"not_name": ["stra\u00dfe"]}, "/STRASSE", NO),
        # domain_in
        ({"domain_in": ["example.com"]}, "alice@example.com", YES),
        ({"domain_in": ["$domain"]}, "alice@EXAMPLE.com", YES),
        ({"domain_in": ["example.com"]}, "example.com", YES),
        ({"domain_in": ["example.com"]}, "alice@example.com.evil.org", NO),
        ({"domain_in": ["example.com"]}, "alice@notexample.com", NO),
        ({"domain_in": ["example.com"]}, "alice@mail.example.com", NO),
        ({"domain_in": [".example.com"]}, "alice@mail.example.com", YES),
        ({"domain_in": [".example.com"]}, "alice@example.com", UNSURE),
        ({"domain_in": [".example.com"]}, "alice@notexample.com", NO),
        ({"domain_in": [".example.com"]}, "alice@xn--a.example.com", UNSURE),
        ({"domain_in": ["example.com"]}, "alice@example.com.", UNSURE),
        ({"domain_in": ["example.com"]}, "eve@evil.org,alice@example.com", UNSURE),
        ({"domain_in": ["example.com"]}, "127.0.0.1", UNSURE),
        ({"domain_in": ["127.0.0.1"]}, "127.0.0.1", YES),
        ({"domain_in": ["example.com"]}, ["alice@example.com"], UNSURE),
        # host_in
        ({"host_in": ["example.com"]}, "https://example.com/x", YES),
        ({"host_in": ["example.com"]}, "https://EXAMPLE.com:443", YES),
        ({"host_in": ["example.com"]}, "http://example.com/", UNSURE),
        ({"host_in": ["example.com"]}, "https://example.com:8443/", UNSURE),
        ({"host_in": ["example.com:8443"]}, "https://example.com:8443/", YES),
        ({"host_in": ["http://localhost:8080"]}, "http://localhost:8080/x", YES),
        ({"host_in": ["http://localhost:8080"]}, "https://localhost:8080/x", UNSURE),
        ({"host_in": ["example.com"]}, "https://www.example.com/", NO),
        ({"host_in": [".example.com"]}, "https://www.example.com/", YES),
        ({"host_in": [".example.com"]}, "https://a.b.example.com/", YES),
        ({"host_in": [".example.com"]}, "https://example.com/", UNSURE),
        ({"host_in": [".example.com"]}, "https://evilexample.com/", NO),
        ({"host_in": ["example.com"]}, "https://example.com.evil.org/", NO),
        ({"host_in": ["example.com"]}, "https://evil.org/example.com", NO),
        ({"host_in": ["example.com"]}, "https://example.com@evil.org/", UNSURE),
        ({"host_in": ["example.com"]}, "https://evil.org\\@example.com/", UNSURE),
        ({"host_in": ["127.0.0.1"]}, "https://127.0.0.1/", YES),
        ({"host_in": ["127.0.0.1"]}, "https://0x7f.1/", UNSURE),
        ({"host_in": ["metadata.example"]}, "https://169.254.169.254/", UNSURE),
        ({"host_in": ["[::1]:8443"]}, "https://[::1]:8443/", YES),
        ({"host_in": ["a.example", "http://b.example"]}, "https://b.example/", UNSURE),
        # lists
        ({"each": {"domain_in": ["example.com"]}}, ["a@example.com", "b@example.com"], YES),
        ({"each": {"domain_in": ["example.com"]}}, ["a@example.com", "b@evil.org"], NO),
        ({"each": {"domain_in": ["example.com"]}}, ["a@example.com", 5], UNSURE),
        ({"each": "any"}, [], NO),
        ({"each": {"in": ["a"]}}, "a", UNSURE),
        ({"each": {"in": ["a"]}}, {"0": "a"}, UNSURE),
        ({"some": {"in": ["a"]}}, ["b", "a"], YES),
        ({"some": {"in": ["a"]}}, ["b", "A"], UNSURE),
        ({"some": {"in": ["a"]}}, ["b"], NO),
        ({"some": {"in": ["a"]}}, [], NO),
        ({"some": {"in": ["a"]}}, "a", UNSURE),
        ({"max_items": 2}, [1, 2], YES),
        ({"max_items": 2}, [1, 2, 3], NO),
        ({"max_items": 2}, "ab", UNSURE),
        # fields: closed and required for a grant, and one more field doesn't silence a deny
        ({"fields": {"force": True}}, {"force": True}, YES),
        ({"fields": {"force": True}}, {"force": False}, NO),
        ({"fields": {"force": True}}, {"force": True, "x": 1}, UNSURE),
        ({"fields": {"force": True}}, {"force": False, "x": 1}, NO),
        ({"fields": {"force": True}}, {"force": False, "Force": True}, UNSURE),
        ({"fields": {"force": True}}, {}, UNSURE),
        ({"fields": {"a": 1, "b": 2}}, {"a": 1}, UNSURE),
        ({"fields": {"a": 1, "b": 2}}, {"a": 2}, NO),
        ({"fields": {"force": True}}, [["force", True]], UNSURE),
        # several keys, null
        ({"under": "/srv", "not_name": ["*.env"]}, "/srv/a", YES),
        ({"under": "/srv", "not_name": ["*.env"]}, "/srv/.env", NO),
        ({"under": "/srv", "not_name": ["*.env"]}, "/srv/../a", UNSURE),
        ({"max": 5}, None, UNSURE),
        ({"max": 5, "null": "ok"}, None, YES),
        ({"max": 5, None: "ok"}, None, YES),
        ({"max": 5, "null": "ok"}, 6, NO),
    ],
)
def test_the_answer_to(data: object, value: object, expected: Answer) -> None:
    assert answer(data, value) is expected


@pytest.mark.parametrize(
    ("data", "value", "expected"),
    [
        ({"under": "/srv/project"}, "/srv/project/out/passwd", UNSURE),
        ({"under": "/srv/project"}, "/mnt/in/a", UNSURE),
        ({"under": "/srv/project"}, "/srv/project/notes", YES),
        ({"under": "/mnt/in"}, "/mnt/in/a", YES),
        ({"under": "/mnt/in"}, "/srv/project/a", UNSURE),
        ({"under": "/etc"}, "/srv/project/out/passwd", UNSURE),
        ({"under": "/srv/project"}, "/srv/Project/a", UNSURE),
        ({"within": "."}, "out/passwd", UNSURE),
        ({"within": "."}, "src/a", YES),
        ({"within": "."}, "/mnt/in/a", UNSURE),
        ({"not_name": ["*.env"]}, "/srv/project/notes", UNSURE),
        ({"not_name": ["*.md"]}, "/srv/safe.md", UNSURE),
        ("/etc/passwd", "/srv/project/out/passwd", UNSURE),
        ({"not_in": ["/etc/passwd"]}, "/srv/project/out/passwd", UNSURE),
    ],
)
def test_a_path_counts_as_written_and_as_it_leads(data: object, value: str, expected: Answer) -> None:
    assert answer(data, value, LINKS) is expected


@pytest.mark.parametrize(
    "data", [{"under": "/srv"}, {"not_in": ["/srv/x"]}, "/srv/x", {"not_name": ["*.env"]}, {"not_name": ["a"]}]
)
def test_a_path_whose_target_cannot_be_told_is_unsure(data: object) -> None:
    assert answer(data, "/srv/a", FakeFiles(lost=frozenset({"/srv/a"}))) is UNSURE


@pytest.mark.parametrize(("data", "value"), [({"under": "/srv"}, "/etc/a"), ("/srv", "/etc"), ({"within": "."}, "a")])
def test_a_root_whose_target_cannot_be_told_is_unsure(data: object, value: str) -> None:
    assert answer(data, value, FakeFiles(lost=frozenset({"/srv", "."}))) is UNSURE


def test_a_hostile_text_does_not_make_a_glob_or_a_pattern_slow() -> None:
    segment = "a" * 50_000
    assert answer({"not_name": ["*a*a*a*a*a*a*b"]}, f"/{segment}") is YES
    assert answer({"matches": "(?:(?:a|a)*(?:a|a)*)*b"}, segment) is NO


@pytest.mark.parametrize(
    ("data", "value", "clause"),
    [
        ({"above": 0, "max": 100}, 250, "not satisfied: at most 100"),
        ({"above": 0, "max": 100}, "s3cret", "not clearly satisfied: at most 100 and more than 0 (it is text)"),
        ({"under": "/srv", "not_name": ["*.env"]}, "/srv/s3cret.env", "not satisfied: no segment like *.env"),
        ({"under": "/srv"}, "/srv/../s3cret", "(it has a segment of dots"),
        ({"under": "/srv/project"}, "/srv/project/out/s3cret", "links"),
        ({"each": {"in": ["a"]}}, ["a", "s3cret"], "element 2: not satisfied: exactly a"),
        ({"fields": {"n": {"max": 5}}}, {"n": 6}, "field n: not satisfied: at most 5"),
        ({"fields": {"n": {"max": 5}}}, {"n": 5, "s3cret": 1}, "a field that is not listed"),
        ({"fields": {"n": {"max": 5}}}, {}, "the field n is missing"),
        ({"host_in": ["example.com"]}, "http://example.com/s3cret", "in a way that is not listed"),
        ({"host_in": ["example.com"]}, "https://s3cret@example.com", "plain http or https URL"),
        ({"domain_in": ["example.com"]}, "s3cret@127.0.0.1", "IP address"),
        ({"max": 5, "null": "ok"}, 7, "not satisfied: at most 5"),
        ({"in": ["a"]}, "A", "more than one way"),
    ],
)
def test_a_failure_names_the_clause_and_never_quotes_the_value(data: object, value: object, clause: str) -> None:
    constraint = parse_constraint(data, in_grant=False, variables=VARIABLES, home="/home/ann")
    said = failure(constraint, value, LINKS)
    assert said is not None
    assert clause in said
    assert "s3cret" not in said


def test_there_is_no_failure_where_the_constraint_holds() -> None:
    constraint = parse_constraint({"max": 5}, in_grant=True, variables={}, home="/home/ann")
    assert failure(constraint, 5, PLAIN) is None


def test_a_constraint_error_is_shown_with_its_way_out() -> None:
    error = ConstraintError("unknown constraint `undr`", ("undr",), "did you mean `under`?")
    assert str(error) == "unknown constraint `undr`; did you mean `under`?"
