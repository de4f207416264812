"""An echo server made with the MCP SDK, as most tool servers are: on stdio, or on HTTP with `--http PORT`."""

import logging
import sys

from mcp.server import MCPServer

server = MCPServer("echo")


@server.tool(structured_output=False)
def echo(text: str) -> str:
    """Give back `text`."""
    return text


if __name__ == "__main__":
    if sys.argv[1:2] == ["--http"]:
        logging.disable(logging.INFO)
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[2]))
    else:
        server.run()
