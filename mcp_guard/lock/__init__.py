"""The lock: what tool servers offered when a person looked at it, and what has become of that since.

Core. Start at `pins.py` (one thing that is pinned) and `servers.py` (one server's pins); `text.py` writes and reads
`guard.lock`; `drift.py` compares, `words.py` says it. Knows no server, no record and no file.
"""
