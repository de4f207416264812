"""`python -m tests.faults`: make the tables of docs/reliability.md anew."""

from tests.faults.table import DOCUMENT, rendered

DOCUMENT.write_text(rendered(DOCUMENT.read_text()))
