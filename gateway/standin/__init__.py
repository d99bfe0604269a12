"""A stand-in for KeyID on this machine: a real MCP server over one invented identity, for demonstrations and tests.

It serves streamable HTTP on loopback only, in the handshake revisions and in 2026-07-28, keeps everything in memory,
and contacts nobody. Importing this package imports the SDK, so only who needs a stand-in imports it.
"""

from gateway.standin.hosting import Standin, serve
from gateway.standin.identity import Post
from gateway.standin.options import StandinOptions

__all__ = ["Post", "Standin", "StandinOptions", "serve"]
