"""mcp_guard: shows an MCP client only the granted tools and judges every call before it reaches a tool server."""

__version__ = "0.1.0"
