"""Documents that must not load, each with the place and a piece of the error: hand-made ones here, derived ones in
`derived.py`.
"""

from __future__ import annotations

from typing import Literal

from mcp_guard.policy.document import Document, load_text
from tests.policy.bad.limits import LIMITS
from tests.policy.bad.mandates import MANDATES
from tests.policy.bad.policies import POLICIES
from tests.policy.bad.traps import YAML_TRAPS

CASES: list[tuple[Literal["policy", "mandate"], str | bytes, str, str]] = [
    *(("policy", *row) for row in (*YAML_TRAPS, *POLICIES, *LIMITS)),
    *(("mandate", *row) for row in MANDATES),
]


def load(kind: Literal["policy", "mandate"], text: str | bytes) -> Document:
    data = text.encode() if isinstance(text, str) else text
    variables = {"project": "/srv/project"} if kind == "policy" else {}
    return load_text(data, file="doc.yaml", kind=kind, variables=variables, home="/home/u")
