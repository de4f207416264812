"""Is a person there? A PIN that only a terminal or the console can give, before anything is loosened.

`require` is for commands, `check` for the console, which has a way of its own to take the PIN. `secret.py` keeps what
tells a right PIN from a wrong one, `terminal.py` takes it from whoever sits there.

What it holds against: text that an agent has read, and a shell tool that runs a command of the guard's: neither has a
terminal at which somebody types. What it doesn't hold against: a hostile program of the same user, which can make a
terminal of its own and guess (slowly, and it shows), read the file and guess elsewhere, or replace the file.
"""

from mcp_guard.presence.requiring import check, is_set, require, set_new

__all__ = ["check", "is_set", "require", "set_new"]
