"""A value as one whole unit (an address, an account, a URL, a path, an id, a number), in the form that is compared.

Core. Nothing is repaired: two spellings are one unit only where every reader takes them for the same (the host of an
address in either letter case, an IBAN in groups of four). Letter case elsewhere, look-alike letters and encodings make
another unit, which nobody has seen.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from decimal import Decimal
from urllib.parse import unquote

from mcp_guard.model import Unit
from mcp_guard.policy.canonical import DEFAULT_PORTS, flattened, loose, parse_mail_host, parse_url, why_not_absolute

MAX_UNIT = 512  # characters; what is longer is a text and no unit

MAX_BITS = 256  # of a whole number

MAIL, URL, ACCOUNT, PHONE, PATH = "mail", "url", "account", "phone", "path"
NUMBER, ID, TEXT = "number", "id", "text"

STRONG = frozenset({MAIL, URL, ACCOUNT, PHONE, PATH})
"""Kinds that are told by their form alone, so that they are found within prose, too."""

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,63})(?:\.[0-9]{1,64})?")
_ACCOUNT = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_GROUPED = re.compile(r"[A-Z]{2}[0-9]{2}(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,4})?")
_PHONE = re.compile(r"\+[1-9][0-9]{0,3}(?:[ ./-]?\(?[0-9]{1,5}\)?){1,6}")
_ACCOUNT_START = re.compile(r"(?<![^\W_])[A-Za-z]{2}[0-9]{2}(?=[ .\-\u00a0]?[A-Za-z0-9])")
_ACCOUNT_RUN = re.compile(r"[A-Za-z0-9](?:[ .\-\u00a0]?[A-Za-z0-9]){14,33}")
_NOT_PLAIN = re.compile(r"[\W_]+")

_MAIL_WITHIN = r"(?<![\w.+'@=~&#*-])[A-Za-z0-9_+'.=~&#*-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+(?![\w@-]|\.[\w])"
_URL_WITHIN = r"(?<!\w)https?://[^\s<>\"'`{}|\\^\[\]]+"
_ACCOUNT_WITHIN = r"(?<!\w)[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?(?!\w)"
_PHONE_WITHIN = r"(?<![\w+])\+[1-9][0-9 ()./-]{5,24}[0-9](?!\w)"
_PATH_WITHIN = r"(?<![\w./:~-])/[\w.@+-]+(?:/[\w.@+-]+)*(?![\w/])"
_WITHIN = re.compile("|".join((_URL_WITHIN, _MAIL_WITHIN, _ACCOUNT_WITHIN, _PHONE_WITHIN, _PATH_WITHIN)))
_AFTER_URL = ".,;:!?)*_"  # what prose puts behind an address


def unit_of(value: object) -> Unit | None:
    """The one unit that a whole value is; None for what is none, is too long or could be read in two ways."""
    if type(value) is int and value.bit_length() > MAX_BITS:
        return None
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        return Unit(NUMBER, _number(Decimal(repr(value))))
    if type(value) is not str or not value or len(value) > MAX_UNIT or flattened(value) != value:
        return None
    return _strong(value) or _weak(value)


def _number(number: Decimal) -> str:
    return "0" if number == 0 else format(number.normalize(), "f") if abs(number.adjusted()) < 80 else repr(number)


def _strong(text: str) -> Unit | None:
    if "://" in text:
        return _url(text)
    if "@" in text:
        host = parse_mail_host(text)
        return Unit(MAIL, f"{text.rpartition('@')[0]}@{host}") if isinstance(host, str) else None
    if text[0] == "+" and _PHONE.fullmatch(text):
        digits = re.sub(r"[^0-9]", "", text)
        return Unit(PHONE, f"+{digits}") if 7 <= len(digits) <= 15 else None
    if text[0] == "/":
        return Unit(PATH, text) if why_not_absolute(text) is None else None
    return _account(text)


def _url(text: str) -> Unit | None:
    origin = parse_url(text)
    if not isinstance(origin, tuple):
        return None
    after = text.split("://", 1)[1].partition("/")
    port = "" if origin.port == DEFAULT_PORTS[origin.scheme] else f":{origin.port}"
    return Unit(URL, f"{origin.scheme}://{origin.host}{port}/{after[2]}")


def _account(text: str) -> Unit | None:
    if not (_ACCOUNT.fullmatch(text) or _GROUPED.fullmatch(text)):
        return None
    compact = text.replace(" ", "")
    return Unit(ACCOUNT, compact) if is_account(compact) else None


def is_account(compact: str) -> bool:
    """Is this the number of an account (IBAN), by its check digits? Letter case doesn't count here."""
    if not 15 <= len(compact) <= 34 or not (compact.isascii() and compact.isalnum()):
        return False
    compact = compact.upper()
    if not _ACCOUNT.fullmatch(compact):
        return False
    return int("".join(str(int(letter, 36)) for letter in compact[4:] + compact[:4])) % 97 == 1


def accounts_in(text: str) -> Iterator[tuple[int, int]]:
    """Where a text holds the number of an account (IBAN), however it is grouped and in either letter case."""
    end = 0
    for start in _ACCOUNT_START.finditer(text):
        if start.start() < end:
            continue
        letters = [at for at in range(start.start(), min(len(text), start.start() + 80)) if text[at].isalnum()]
        run = _ACCOUNT_RUN.match(text, start.start())
        within = [at for at in letters[:34] if run is not None and at < run.end()]
        for count in range(len(within), 14, -1):  # what follows may be the next word
            if is_account("".join(text[at] for at in within[:count])):
                end = within[count - 1] + 1
                yield start.start(), end
                break


def _weak(text: str) -> Unit:
    if _NUMBER.fullmatch(text):
        return Unit(NUMBER, _number(Decimal(text)))
    return Unit(TEXT if " " in text or text.isalpha() else ID, text)


def units_within(text: str) -> Iterator[Unit]:
    """The units within prose that are told by their form, each only where it stands by itself."""
    for match in _WITHIN.finditer(text):
        found = match[0]
        if "://" in found:
            found = found.rstrip(_AFTER_URL)
        elif "@" in found or found[0] == "/":
            found = found.rstrip(".'")
        unit = unit_of(found)
        if unit is not None and unit.kind in STRONG:
            yield unit


def squeezed(text: str) -> str:
    """What is left of a text for whoever ignores case, encoding, spaces and punctuation.

    Two texts with the same one may be one value in two spellings: here that counts against a value, never for it.
    """
    plain = loose(unquote(unquote(text)) if "%" in text else text)
    return _NOT_PLAIN.sub("", plain) or plain
