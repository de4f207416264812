"""The corpus is what its README says, and the scan's figures on it hold."""

from __future__ import annotations

from benchmarks.scan.collect import part
from benchmarks.scan.corpus_files import PARTS, benign, poisoned
from benchmarks.scan.licences import LICENCES
from benchmarks.scan.measure import Share, false_positives, false_positives_of_names, is_withheld, recall


def test_the_corpus_is_large_enough_and_every_server_has_its_version_and_licence() -> None:
    cases = [case for name in PARTS for case in poisoned(name)]
    servers = list(benign())
    assert len(cases) >= 300 and len({case.id for case in cases}) == len(cases)
    assert sum(len(server.tools) for server in servers) >= 700
    assert all(server.version and server.licence in LICENCES for server in servers)
    assert all(server.part == part(server.package) for server in servers)


def test_of_the_attacks_that_rules_were_made_for_nine_in_ten_are_found() -> None:
    for name in PARTS[:2]:
        found = recall(name)["all"]
        assert found.count >= 0.9 * found.of


def test_of_real_tools_one_in_a_hundred_is_found_at_most() -> None:
    for name in PARTS[:2]:
        assert false_positives(name).count <= 0.01 * false_positives(name).of
        assert false_positives(name, is_withheld).count <= 0.005 * false_positives(name).of
    assert false_positives_of_names().count == 0


def test_an_interval_is_as_wide_as_the_sample_is_small() -> None:
    low, high = Share(9, 10).interval
    assert 0.59 < low < 0.6 and 0.98 < high < 0.99
    assert Share(0, 0).interval == (0.0, 1.0)
