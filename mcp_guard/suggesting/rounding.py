"""Numbers rounded outwards to 1, 2 or 5 times a power of ten: what was used, with a little room, in round words.

Core. Exact: decimals throughout.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

STEPS = (Decimal(1), Decimal(2), Decimal(5), Decimal(10))
MOST_DIGITS = 12
"""Beyond, or with more decimals, a number is kept as it is: it is an identifier, or a measurement."""


def up(number: Decimal) -> Decimal:
    """The next step that isn't below the number: 47 -> 50, -12 -> -10; 0 stays."""
    return -_down(-number) if number < 0 else _up(number)


def down(number: Decimal) -> Decimal:
    """The next step that isn't above the number: 47 -> 20, -12 -> -20."""
    return -up(-number)


def calls(count: int) -> int:
    """A number of calls with room: 7 -> 10."""
    return int(up(Decimal(count)))


def length(count: int) -> int:
    """A length of a text with room: the next power of two, from 64 on."""
    return max(64, 1 << max(0, count - 1).bit_length())


def _up(number: Decimal) -> Decimal:
    return next((step for step in _steps(number) if step >= number), number) if number else number


def _down(number: Decimal) -> Decimal:
    return next((step for step in reversed(_steps(number)) if step <= number), number) if number else number


def _steps(number: Decimal) -> list[Decimal]:
    if abs(number.adjusted()) > MOST_DIGITS:
        return []
    unit = Decimal(1).scaleb(number.adjusted())
    found = [step * unit for step in STEPS]
    return [one.to_integral_value(ROUND_CEILING) if unit >= 1 else one for one in found]
