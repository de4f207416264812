"""The record: one SQLite file, one hash chain per guard process, one transaction per judgement (laws 2 and 8).

`store` writes, `query` and `verify` read. Nothing here knows a policy, a transport or a document: what comes in is
already shape and digest, and what is asked of the rules goes through the `judge` that the gateway passes.
"""
