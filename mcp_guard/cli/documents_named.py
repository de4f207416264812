"""The documents that a command's options name, for commands that also go without any."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mcp_guard.cli.setting_up import load_documents, parse_settings
from mcp_guard.config import load_config
from mcp_guard.policy.document import Document


def documents_named(
    config: Path | None, policy: Path | None, mandate: Path | None, settings: Iterable[str]
) -> tuple[Document, ...]:
    """Policy, then mandate, as far as they are named; the options beat guard.yaml. Raises InputError."""
    variables = parse_settings(settings, Path.cwd())
    if config is not None:
        loaded = load_config(config)
        policy, mandate = policy or loaded.policy, mandate or loaded.mandate
        variables = {**loaded.variables, **variables}
    return tuple(one for one in load_documents(policy, mandate, variables) if one is not None)
