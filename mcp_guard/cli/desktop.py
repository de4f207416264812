"""A desktop notice, where the platform has a way to show one: fixed words and an id, nothing that a server said."""

from __future__ import annotations

import shutil
import subprocess
import sys


def notice(text: str) -> bool:
    """Show it; False where there is no way to. Never waits for it, and never fails."""
    if sys.platform == "darwin":
        script = f'display notification "{text}" with title "mcp-guard"'
        command = ["/usr/bin/osascript", "-e", script]
    else:
        program = shutil.which("notify-send")
        if program is None:
            return False
        command = [program, "--app-name=mcp-guard", "--", "mcp-guard", text]
    try:
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=5, check=False)
    except (OSError, subprocess.SubprocessError):
        return False
    return True
