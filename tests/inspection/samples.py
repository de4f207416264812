"""Secrets that are nobody's, put together here so that no scanner takes this repository for a leak."""

from __future__ import annotations

import base64
from typing import Any

AWS = "AKIA" + "EXAMPLEEXAMPLE12"
GITHUB = "ghp" + "_" + "a1B2" * 9
PRIVATE_KEY = "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEexample\nAAAA\n-----END RSA " + "PRIVATE KEY-----"
SECRETS = {AWS: "aws access key", GITHUB: "github token"}


def encoded(text: str | bytes) -> str:
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def answer(*blocks: str | dict[str, Any], **beside: Any) -> dict[str, Any]:
    """A reply with these blocks, texts as they are."""
    content = [text(block) if isinstance(block, str) else block for block in blocks]
    return {"result": {"content": content, **beside}}
