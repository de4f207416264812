"""The digest key: one for all processes, in a file of its own, whole or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_guard.errors import RecordFailed
from tests.record.examples import deny, open_record, request


def test_the_key_is_32_bytes_and_stays(tmp_path: Path) -> None:
    with open_record(tmp_path) as one, open_record(tmp_path) as two:
        assert len(one.key) == 32
        assert one.key == two.key == (one.directory / "digest.key").read_bytes()


def test_two_records_have_two_keys(tmp_path: Path) -> None:
    with open_record(tmp_path / "a") as one, open_record(tmp_path / "b") as two:
        assert one.key != two.key


def test_the_key_is_nowhere_in_the_record(tmp_path: Path) -> None:
    with open_record(tmp_path) as record:
        record.step(request(), deny)
        record.note("loaded", {"file": "policy.yaml"})
        stored = b"".join((record.directory / name).read_bytes() for name in ("guard.db", "guard.db-wal"))
    assert record.key not in stored
    assert record.key.hex().encode() not in stored


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 33])
def test_a_damaged_key_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    with open_record(tmp_path) as record:
        (record.directory / "digest.key").write_bytes(content)
    with pytest.raises(RecordFailed, match="damaged"):
        open_record(tmp_path)
    assert (record.directory / "digest.key").read_bytes() == content
