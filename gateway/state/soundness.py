"""Whether the tables can be read, and hold what the gateway writes there: a look at all of them, where one is needed.

SQLite lets a value of any type stand in any column (https://sqlite.org/datatype3.html), and a file that was damaged may
hold some. Whoever stumbles over one looks for it here, so that it is not taken for a fault of the program. The audit
log has a better proof of its own (`chain`).
"""

import sqlite3
from pathlib import Path
from typing import Final

from gateway.state.failures import damaged, from_sqlite

STUMBLED: Final = (TypeError, ValueError, ArithmeticError, LookupError, AttributeError)
"""What comes of a value of another type than the one that was written."""

_TYPES: Final = {"INTEGER": ("integer",), "REAL": ("real", "integer"), "TEXT": ("text",), "BLOB": ("blob",)}
_ANY: Final = ("integer", "real", "text", "blob")
_TABLES: Final = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name <> 'audit'"


def unsound(connection: sqlite3.Connection) -> str | None:
    """The first thing that the gateway never writes; None where there is none. Raises `sqlite3.Error`."""
    for (table,) in connection.execute(_TABLES).fetchall():
        for _, column, declared, required, *_ in connection.execute(f'PRAGMA table_info("{table}")').fetchall():
            known = (*_TYPES.get(declared, _ANY), *(() if required else ("null",)))
            odd = connection.execute(
                f'SELECT 1 FROM "{table}" WHERE typeof("{column}") NOT IN ({", ".join("?" * len(known))}) LIMIT 1',  # noqa: S608 - names of our own tables
                known,
            )
            if odd.fetchone() is not None:
                return f"`{column}` of `{table}` holds what the gateway never writes"
    return None


def blame(connection: sqlite3.Connection, path: Path, error: Exception) -> None:
    """Raise the `StateError` of a damaged file at `path`, if that is where `error`, one of `STUMBLED`, comes from."""
    try:
        odd = unsound(connection)
    except sqlite3.Error as worse:
        raise from_sqlite(worse, path) from error
    if odd is not None:
        raise damaged(odd) from error
