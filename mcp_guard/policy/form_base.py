"""What every part of a document's written form is made of: a strict model, and errors in our own words."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError


def said(message: str, hint: str = "") -> PydanticCustomError:
    """An error whose text is shown as it is."""
    return PydanticCustomError("said", "{message}", {"message": message, "hint": hint})


class Form(BaseModel):
    """What every part of a document shares."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)
