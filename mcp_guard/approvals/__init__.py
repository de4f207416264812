"""Asking somebody whether a call may happen. `port.py` is the seam, `asking.py` what the guard makes of an answer."""
