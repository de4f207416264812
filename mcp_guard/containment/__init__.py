"""Contained servers: what of the machine a tool server's process gets, from what its grants name.

Nothing here is asked of a client, a server or a model: guard.yaml and the documents say it, before a server starts.
"""
