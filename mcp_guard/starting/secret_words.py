"""Does a command carry a secret in its own words? Then it can't go into guard.yaml, which names secrets and has none.

Stricter than a look at each word, and laxer than what is masked when a command is shown: a long path is no secret here,
nor is the name of a variable that a container is given, nor an image's digest.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mcp_guard.clients.masking import masked_arguments

_PATH = re.compile(r"(~|\.{1,2})?/[^=?]*|\.{1,2}|~")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_IMAGE_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
_GIVES_VARIABLE = ("-e", "--env")


def has_secret(words: Sequence[str]) -> bool:
    """Would any word have to be masked, of those that aren't plainly a path, a name or a digest?"""
    shown = masked_arguments(words)
    before = ["", *words]
    return any(
        word != masked and not _plain(word, previous)
        for word, masked, previous in zip(words, shown, before, strict=False)
    )


def _plain(word: str, previous: str) -> bool:
    if previous in _GIVES_VARIABLE:
        return _NAME.fullmatch(word) is not None
    if masked_arguments([previous, "x"])[1] != "x":  # whatever follows `--token` is one, also if it starts with `/`
        return False
    bare = _IMAGE_DIGEST.sub("", word)
    return _PATH.fullmatch(word) is not None or masked_arguments([bare]) == [bare]
