"""Whether the tables can be read, and hold what the gateway writes there: a look at all of them, for people.

SQLite lets a value of any type stand in any column (https://sqlite.org/datatype3.html), and a file that was damaged may
hold some: whoever meets it refuses the call, and cannot say why. The audit log has a better proof of its own (`chain`).
"""

import sqlite3
from typing import Final

_TYPES: Final = {"INTEGER": ("integer",), "REAL": ("real", "integer"), "TEXT": ("text",), "BLOB": ("blob",)}
_TABLES: Final = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name <> 'audit'"


def unsound(connection: sqlite3.Connection) -> str | None:
    """The first thing that the gateway never writes; None where there is none. Raises `sqlite3.Error`."""
    for (table,) in connection.execute(_TABLES).fetchall():
        for _, column, declared, required, *_ in connection.execute(f'PRAGMA table_info("{table}")').fetchall():
            known = (*_TYPES[declared], *(() if required else ("null",)))
            odd = connection.execute(
                f'SELECT 1 FROM "{table}" WHERE typeof("{column}") NOT IN ({", ".join("?" * len(known))}) LIMIT 1',  # noqa: S608 - names of our own tables
                known,
            )
            if odd.fetchone() is not None:
                return f"`{column}` of `{table}` holds what the gateway never writes"
    return None
