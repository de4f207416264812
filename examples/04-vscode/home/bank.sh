#!/bin/sh
# A bank that wants its PIN before it starts.
[ "$BANK_PIN" = 2580 ] || { echo "bank: that isn't the PIN" >&2; exit 1; }
exec python /tmp/iris/servers/bank.py --state /tmp/iris/state/bank
