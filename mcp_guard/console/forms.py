"""A form as it was sent, read strictly and bounded: what isn't one plain form of ours is refused."""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator, Mapping, Sequence
from urllib.parse import parse_qsl

from mcp_guard.console.door import Visit
from mcp_guard.errors import InputError
from mcp_guard.transports.http_access import Refused

MAX_BODY = 16 << 10  # bytes
MAX_FIELDS = 100
TYPE = b"application/x-www-form-urlencoded"
SECRET = "form"  # noqa: S105 - the field's name


class Form:
    """The fields of one form."""

    def __init__(self, fields: Mapping[str, Sequence[str]]) -> None:
        self._fields = fields

    def one(self, name: str) -> str:
        """The only value of a field; empty if it isn't there. Raises InputError for two."""
        found = self._fields.get(name, ())
        if len(found) > 1:
            raise InputError(f"the form has two fields `{name}`; go back and fill it in again")
        return found[0] if found else ""

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of a field."""
        return tuple(self._fields.get(name, ()))


async def read_form(chunks: AsyncIterator[bytes], content_type: str, visit: Visit | None) -> Form:
    """The form, if it is of the very browser that was let in. Raises Refused."""
    if content_type.partition(";")[0].strip().lower().encode() != TYPE:
        raise Refused(415, "only the console's own forms are taken")
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > MAX_BODY:
            raise Refused(413, "the form is too large")
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError:
        raise Refused(400, "the form can't be read") from None
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    form = Form(fields)
    if visit is not None and not _is_ours(form, visit):
        raise Refused(403, "this form isn't of this console; load the page again")
    return form


def _is_ours(form: Form, visit: Visit) -> bool:
    """A page elsewhere can make the browser send its cookie, and can't read what stands in our forms."""
    given = form.all(SECRET)
    return len(given) == 1 and hmac.compare_digest(given[0].encode(), visit.form.encode())
