"""The console: pages in a browser for the person at the desk, on loopback, for one start of `mcp-guard console`.

`door.py` says who may come in and `access.py` what a request must look like before anything of it counts; `app.py` puts
a page or an act behind each address; `pages/` has one page a file. All is rendered here and works without script.
Below: the record (`record.query`), the desk (`approvals.answering`), the PIN (`presence`).
"""
