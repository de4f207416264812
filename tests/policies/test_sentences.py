"""The ready-made policies as plain sentences: people read them before they agree, so a change of words is seen here.

After a change that is meant, run this file with `MCP_GUARD_GOLDEN=write` in the environment to write them anew.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mcp_guard.policy.sentences import sentence
from tests.policies.test_policies import DOCUMENTS, suite_of

GOLDEN = Path(__file__).parent / "sentences"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_document_is_told_in_the_same_words_as_ever(document: str) -> None:
    said = "\n".join(sentence(suite_of(document).document)) + "\n"
    golden = GOLDEN / f"{document.removesuffix('.yaml')}.txt"
    if os.environ.get("MCP_GUARD_GOLDEN") == "write":
        golden.write_text(said, encoding="utf-8")
    assert said == golden.read_text(encoding="utf-8")


def test_no_sentence_is_left_of_a_document_that_is_gone() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == {name.removesuffix(".yaml") for name in DOCUMENTS}
