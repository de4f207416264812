"""The text of each shipped schema, from the models of the formats. A test holds the files to it."""

from __future__ import annotations

import json

from pydantic import BaseModel

from mcp_guard.config import ConfigForm
from mcp_guard.policy.cases_form import CaseFileForm
from mcp_guard.policy.form import MandateForm, PolicyForm
from mcp_guard.policy.schema_form import form_schema
from mcp_guard.schemas import FORMATS

_FORMS: dict[str, type[BaseModel]] = {
    "policy": PolicyForm,
    "mandate": MandateForm,
    "cases": CaseFileForm,
    "guard": ConfigForm,
}


def schema_text(name: str) -> str:
    """The schema of the format of that name, as its file has it."""
    return json.dumps(form_schema(_FORMS[name], f"mcp_guard: {FORMATS[name]}"), indent=1) + "\n"
