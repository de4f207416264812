"""Makes the shipped schemas anew, from the models of the formats: `python -m mcp_guard.schemas`."""

from __future__ import annotations

from mcp_guard.schemas import FORMATS, schema_file
from mcp_guard.schemas.making import schema_text

if __name__ == "__main__":
    for name in FORMATS:
        schema_file(name).write_text(schema_text(name), encoding="utf-8")
