"""All classes of the corpus."""

from __future__ import annotations

from tests.adversarial.classes import intents, mails, places, sessions, sources, texts, tools, values
from tests.adversarial.corpus import Class

CLASSES: tuple[Class, ...] = (
    sources.COLLISION,
    sources.LAUNDERING,
    texts.HOMOGLYPH,
    texts.CASE,
    texts.WHITESPACE,
    values.TYPES,
    values.NUMBERS,
    places.TRAVERSAL,
    places.URLS,
    mails.RECIPIENTS,
    mails.FREE_TEXT,
    tools.RENAMING,
    sessions.REPLAY,
    sessions.CONCURRENCY,
    sessions.SPLIT,
    intents.PRESSURE,
    intents.HARMFUL_CONTEXT,
    intents.SMUGGLING,
)
