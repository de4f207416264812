"""The accept gate: what a file grants counts once it was accepted, and a wider version of it waits for a person.

`stacks` turns contents of files into documents, `gate` decides which contents count, `texts` keeps them, `servers` says
what differs between two versions of guard.yaml. Above: the command line. Below: the record, the documents, `compare`.
"""
