"""What every part of a document's written form is made of: a class whose annotations are its keys.

Only declares; `form_reading.py` reads. A form says what pydantic's models would, and `schema_form.py` makes such models
of it for the JSON Schemas; but a guard that starts would wait for pydantic longer than for anything else, and hold it.

Core.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, NoReturn


class Said(ValueError):
    """What a check says of a value: a whole sentence of ours, and the way out."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def said(message: str, hint: str = "") -> Said:
    """An error whose text is shown as it is."""
    return Said(message, hint)


class First:
    """In an annotation: a function that has the value as it was written, before its type is looked at.

    It gives the value to go on with, or raises `Said`. Of several, the last has the first word.
    """

    def __init__(self, function: Callable[[Any], object]) -> None:
        self.function = function


class Then:
    """In an annotation: a function that has the value once its type is right. It gives the value, or raises `Said`."""

    def __init__(self, function: Callable[[Any], object]) -> None:
        self.function = function


class Whole:
    """Decorates a method of a form that looks at all of it, once each key is right; it raises `Said`."""

    def __init__(self, function: Callable[[Any], None]) -> None:
        self.function = function


class Fresh:
    """The default of a key that isn't there, made anew for each form."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make


def fresh(make: Callable[[], Any]) -> Any:
    """A key's default where it is a list or a mapping."""
    return Fresh(make)


class Form:
    """One mapping of a document, as it was read. Its keys are its annotations; one without a default is required.

    Strict: nothing is converted, and a key that isn't known is an error. Doesn't change once it is made.
    """

    model_fields_set: ClassVar[frozenset[str]] = frozenset()
    """The keys that were written."""

    def __init__(self, written: dict[str, Any], defaults: dict[str, Callable[[], Any]]) -> None:
        made = {name: make() for name, make in defaults.items() if name not in written}
        vars(self).update(made | written, model_fields_set=frozenset(written))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"`{name}` was read, and stays as it is")

    @classmethod
    def checks(cls) -> list[Callable[[Any], None]]:
        """What looks at the whole of it, in order: a form's own checks after those of what it is built on."""
        return [one.function for base in reversed(cls.__mro__) for one in vars(base).values() if isinstance(one, Whole)]
