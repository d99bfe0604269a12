"""What KeyID publishes of its tools, as a list: for servers whose own list was never seen."""

import json

from gateway.catalogue import Catalogue
from gateway.jsonrpc import loads
from gateway.keyid import known_tools


def published() -> Catalogue:
    """The known tools with their input schemas, partly seen and partly inferred."""
    tools = [{"name": tool.name, "inputSchema": tool.input_schema} for tool in known_tools().values()]
    catalogue = Catalogue()
    catalogue.page(None, {"tools": loads(json.dumps(tools))})
    return catalogue
