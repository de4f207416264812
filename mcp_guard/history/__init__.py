"""Where values come from: what a session has read, and which of it a call repeats. Start here; the parts are small.

    units      a value, or a text, as whole units that can be compared
    reading    a result of a tool, or what a call carries, as units
    index      who gains a source, and who doesn't: echo, laundering, bounds
    trust      is the result of this call one that anybody may have written?
    sources    what documents ask for; where each value of a call comes from, in words

Core. Knows documents and the facts, no record: the record keeps keyed digests of what comes out of here.
"""
