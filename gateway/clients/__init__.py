"""The clients: where each keeps its servers, and how one entry is put there and taken out again.

known     the table of clients: places, forms, what a person does afterwards, and where each fact is written
jsonc     JSON with places, comments and lenient commas
editing   one entry changed in the text, everything else as it was
entries   what an entry means: ours, a remote server's, a bridge's
files     the files on disk: what was there is kept, what is new appears whole
originals what an entry was before the gateway took its place
"""

from gateway.clients.editing import NotEditable, Text
from gateway.clients.known import BY_NAME, CLIENTS, Client, Place, System

__all__ = ["BY_NAME", "CLIENTS", "Client", "NotEditable", "Place", "System", "Text"]
