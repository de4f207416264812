"""What can go wrong that isn't a decision. A deny is a value (`model.Decision`), never an exception.

Messages are in lower case, put input in backticks, and end with the way out.
"""

from __future__ import annotations


class GuardError(Exception):
    """Something that a person has to mend; its text is what they are shown."""


class InputError(GuardError):
    """A document, configuration file or option is wrong. The command line answers with exit code 2."""


class Malformed(GuardError):
    """Bytes that are not one strict JSON-RPC message. The text never quotes the input.

    `id` is the request's id where one could be read for certain, else None; `code` is the JSON-RPC error code.
    """

    def __init__(self, message: str, *, code: int = -32600, id: int | str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.id = id


class RecordBusy(GuardError):
    """Another process holds the record's lock. Nothing was written: judge again in a moment."""


class RecordFailed(GuardError):
    """The record can't take an entry (disk full, file replaced, wrong owner): there is no call without it."""


class ServerGone(GuardError):
    """A tool server isn't running or doesn't answer."""
