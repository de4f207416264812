"""Does a URI fit a pinned template? RFC 6570, read generously: what is granted says more, and is asked as well.

Core. It answers whether a person has looked at what makes such addresses; a template that it can't read fits nothing.
"""

from __future__ import annotations

import importlib
import re
from functools import lru_cache
from typing import Any

_EXPRESSION = re.compile(r"\{([+#./;?&]?)[A-Za-z0-9_.,%:*]{1,200}\}")
_FITS = {
    "": "[^/?#]*",
    "+": ".*",
    "#": "(?:#.*)?",
    ".": "[^/?#]*",
    "/": "(?:/[^/?#]*)*",
    ";": "[^/?#]*",
    "?": "(?:[?][^#]*)?",
    "&": "(?:&[^#]*)?",
}
MAX_LENGTH = 2048
"""Characters of a template that is read."""


def fits(template: str, uri: str) -> bool:
    """Could `uri` have been made from `template`? Linear in both."""
    made = _compiled(template)
    return made is not None and made.fullmatch(uri.encode("utf-8", "replace").decode()) is not None


@lru_cache(maxsize=1024)
def _compiled(template: str) -> Any:
    re2 = importlib.import_module("re2")
    pieces, at = [], 0
    for found in _EXPRESSION.finditer(template):
        pieces += [re2.escape(template[at : found.start()]), _FITS[found[1]]]
        at = found.end()
    rest = template[at:]
    if len(template) > MAX_LENGTH or "{" in rest or any("{" in piece for piece in pieces[::2]):
        return None
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(f"(?s){''.join(pieces)}{re2.escape(rest)}", options)
    except re2.error:
        return None
