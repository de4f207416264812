"""The probe finds nothing wrong where nothing stands between, and sees what a proxy drops; and our own column."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from benchmarks.proxies import pinned
from tests.fidelity.probe import features, odd, run
from tests.fidelity.probe.columns import HTTP_SERVER, POLICY, SERVER, ours
from tests.fidelity.probe.features import BOTH, FEATURES, LEGACY, MISSING, MODERN, Verdict, members, same
from tests.fidelity.probe.run import NOT_SERVED, Reached, probe, probe_twice
from tests.fidelity.probe.scorecard import BEGIN, CHANGED, END, Result, generated, put_into, surprises
from tests.fidelity.processes import listening
from tests.fidelity.routes import REPOSITORY, Place
from tests.patience import PATIENCE
from tests.ports import free_port

DROPPING = """
import json, subprocess, sys
server = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
for line in sys.stdin:
    server.stdin.write(line)
    server.stdin.flush()
    if "id" not in json.loads(line):
        continue
    answer = json.loads(server.stdout.readline())
    answer.get("result", {}).pop("structuredContent", None)
    answer.get("result", {}).pop("instructions", None)
    print(json.dumps(answer), flush=True)
"""
OLD = """
import json, sys
for line in sys.stdin:
    error = {"code": -32601, "message": "Method not found"}
    print(json.dumps({"jsonrpc": "2.0", "id": json.loads(line)["id"], "error": error}), flush=True)
"""


@pytest.fixture(autouse=True)
def from_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    for module, name in ((features, "PATIENCE"), (run, "PATIENCE"), (run, "START")):
        monkeypatch.setattr(module, name, PATIENCE)  # here silence is a finding, not one answer of many


@pytest.mark.parametrize("revision", BOTH)
async def test_nothing_is_lost_where_nothing_stands_between(revision: str) -> None:
    port = free_port()
    with listening([*HTTP_SERVER, str(port)], port, os.environ):
        over_http = await probe(Reached(url=f"http://127.0.0.1:{port}/mcp"), revision)
    found = await probe(Reached(SERVER), revision)
    assert found == over_http
    assert {name for name, verdict in found.items() if verdict != Verdict.KEPT} == set()
    assert found.keys() == {feature.name for feature in FEATURES if revision in feature.revisions}


async def test_what_a_proxy_drops_is_seen_and_nothing_else_is_blamed() -> None:
    looked_at = [
        feature for feature in FEATURES if feature.name in {"instructions", "structured content", "text, exactly"}
    ]
    found = await probe(Reached([sys.executable, "-c", DROPPING, *SERVER]), LEGACY, looked_at)
    assert found == {"instructions": "lost", "structured content": "lost", "text, exactly": "kept"}


async def test_what_got_lost_once_is_looked_at_again_and_what_is_always_lost_stays_so(tmp_path: Path) -> None:
    """A proxy that drops both in its first conversation, and one of them in every other too."""
    once = DROPPING.replace('"structuredContent"', f'"structuredContent" if first("{tmp_path}/met") else ""')
    first = "import os\ndef first(file):\n    found = not os.path.exists(file)\n    return found\n"
    once = first + once + f'open("{tmp_path}/met", "w").close()\n'
    looked_at = [feature for feature in FEATURES if feature.name in {"instructions", "structured content"}]
    found = await probe_twice(Reached([sys.executable, "-c", once, *SERVER]), LEGACY, looked_at)
    assert found == {"instructions": "lost", "structured content": "kept"}


async def test_a_revision_that_is_not_spoken_is_no_loss() -> None:
    found = await probe(Reached([sys.executable, "-c", OLD]), MODERN)
    assert set(found.values()) == {NOT_SERVED}


@pytest.mark.parametrize("number", range(3), ids=["stdio to stdio", "HTTP to stdio", "HTTP to HTTP"])
async def test_our_own_columns_change_only_what_they_have_to(number: int, tmp_path: Path) -> None:
    with (column := ours(Place(tmp_path, POLICY))[number]).open() as reached:
        verdicts = {revision: await probe(reached, revision) for revision in BOTH}
    assert surprises([Result(column.title, verdicts)]) == []


@pytest.mark.parametrize(
    ("got", "said", "verdict"),
    [
        (1, 1, Verdict.KEPT),
        (1.0, 1, Verdict.CHANGED),
        (True, 1, Verdict.CHANGED),
        (None, 1, Verdict.CHANGED),
        (MISSING, 1, Verdict.LOST),
        ({"b": 1, "a": 2}, {"a": 2, "b": 1}, Verdict.KEPT),
        (10.0**30, odd.MANY, Verdict.CHANGED),
    ],
)
def test_equal_means_equal_as_json(got: object, said: object, verdict: Verdict) -> None:
    assert same(got, said) is verdict


def test_of_several_members_the_worst_counts() -> None:
    said = {"a": 1, "b": 2}
    assert members({"a": 1, "b": 3}, said, "a", "b") is Verdict.CHANGED
    assert members({"b": 3}, said, "a", "b") is Verdict.LOST
    assert members(None, said, "a") is Verdict.LOST


def one(verdict: str) -> Result:
    return Result(
        "thing 1.2, stdio",
        {revision: {one.name: verdict for one in FEATURES if revision in one.revisions} for revision in BOTH},
    )


def test_what_is_lost_or_changed_and_not_known_is_a_surprise_and_so_is_what_changes_no_more() -> None:
    known = {revision: dict.fromkeys(CHANGED[revision], "changed") for revision in BOTH}
    assert surprises([Result("ours", known)]) == []
    verdicts = {LEGACY: known[LEGACY] | {"roots": "lost", "prompts": NOT_SERVED}, MODERN: {"caching hints": "kept"}}
    assert surprises([Result("ours", verdicts)]) == [
        f"ours, {LEGACY}: roots lost",
        f"ours, {LEGACY}: prompts {NOT_SERVED}",
        f"ours, {MODERN}: caching hints kept",
    ]


def test_the_tables_have_every_feature_in_its_revisions_and_a_sum() -> None:
    text = generated([one("kept"), one("lost"), one(NOT_SERVED)])
    for feature in FEATURES:
        assert text.count(f"| {feature.name} | kept | **lost** | - |") == len(feature.revisions)
    assert "| **kept** | 36 of 36 | 0 of 36 | not served |" in text


def test_only_the_generated_part_of_the_document_is_replaced() -> None:
    document = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert put_into(document, "new") == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    assert put_into(put_into(document, "new"), "new") == put_into(document, "new")
    with pytest.raises(ValueError, match="generated"):
        put_into("no place for it", "new")


def test_the_document_names_every_feature_of_the_scorecard() -> None:
    text = (REPOSITORY / "docs" / "fidelity.md").read_text(encoding="utf-8")
    assert {feature.name for feature in FEATURES if f"| {feature.name} |" not in text} == set()


def test_the_document_has_the_other_proxies_in_the_versions_that_are_installed() -> None:
    text = (REPOSITORY / "docs" / "fidelity.md").read_text(encoding="utf-8")
    probed = [(name.split()[0], version) for name, version in pinned().items() if name != "mcp-gateway"]
    assert len(probed) == 5
    for name, version in probed:
        assert re.search(rf"\| {re.escape(name)}( \((PyPI|npm)\))? {re.escape(version)}, ", text), name
