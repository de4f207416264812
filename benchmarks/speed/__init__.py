"""What the guard costs: time added to a call, time of a judgement, time to start, memory.

All rows come from one run, with every chain alive at once and the rounds interleaved: on a shared machine, numbers of
different runs don't compare. `python -m benchmarks.speed` prints a table, `--json` the same for machines.
"""
