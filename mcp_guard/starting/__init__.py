"""What `init` makes of a client's configuration: guard.yaml, a starter policy, and the guard in the servers' place.

Reads what `clients/` found and writes nothing before everything is planned and checked. Starts no server, but for those
whose command a person confirmed. What a project's files say is somebody else's text: data throughout.
"""
