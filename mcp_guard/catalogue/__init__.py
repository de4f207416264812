"""What widely used tool servers' tools can do: effect classes and authority-bearing arguments, as we judged them.

Data in the package, one file a server (`data/`), and no guess: a tool counts as known only if the command names the
package that was judged *and* the server lists the descriptor that was judged. `docs/catalogue.md` has the rules.
Only the file that a command needs is read.
"""

from __future__ import annotations

from mcp_guard.catalogue.entries import Known, KnownTool
from mcp_guard.catalogue.packages import Package, Registry, identify, steering
from mcp_guard.catalogue.store import find

__all__ = ["Known", "KnownTool", "Package", "Registry", "find", "identify", "steering"]
