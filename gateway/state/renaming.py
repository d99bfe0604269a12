"""A grant gets another name, and takes with it what was counted for it: in one transaction, all or nothing.

Counters say whose they are. Last calls are kept under digests (`last_calls`), so those that move are those of every
tool that the grant is known to have called: by the audit log, which has a record of each since it was last pruned, and
by whatever else the caller knows of (`also`: the tools that the servers announce). Records keep the name under which
they were written: they are a chain, and what was is not changed.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import replace

from gateway.errors import UsageError
from gateway.state.counters import CounterKey
from gateway.state.last_calls import digest
from gateway.state.text import bounded

_COUNTERS = (
    'SELECT id, server, layer, scope, owner, tools_key, counter, "window", seconds, strategy, per '
    "FROM counters WHERE scope = 'grant' AND owner = ?"
)
_CALLED = "SELECT DISTINCT server, tool FROM audit WHERE grant_name = ? AND kind = 'decided' AND tool <> ''"


def rename(connection: sqlite3.Connection, old: str, new: str, also: Iterable[tuple[str, str]]) -> None:
    """Move everything of `old` to `new`. Raises `UsageError` where there is something of `new` already."""
    taken = (
        "SELECT name FROM identities WHERE name = ?1 UNION ALL SELECT name FROM grants WHERE name = ?1 "
        "UNION ALL SELECT owner FROM counters WHERE scope = 'grant' AND owner = ?1 "
        "UNION ALL SELECT grant_name FROM halts WHERE grant_name = ?1"
    )
    if connection.execute(taken, (bounded(new),)).fetchone() is not None:
        raise UsageError(f"grant `{new}` is there already", "choose a name that nobody has used")
    _move_last_calls(connection, old, new, also)
    for number, *key in connection.execute(_COUNTERS, (bounded(old),)).fetchall():
        moved = replace(CounterKey(*key), owner=new)
        connection.execute(
            "UPDATE counters SET owner = ?, identity = ? WHERE id = ?", (bounded(new), moved.identity, number)
        )
    for table, column in (("identities", "name"), ("grants", "name"), ("halts", "grant_name")):
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (bounded(new), bounded(old)))  # noqa: S608 - constants


def _move_last_calls(connection: sqlite3.Connection, old: str, new: str, also: Iterable[tuple[str, str]]) -> None:
    called = {*connection.execute(_CALLED, (bounded(old),)), *also}
    parts = {(server,) for server, _ in called} | called
    for server, *tool in sorted(parts):
        connection.execute(
            "UPDATE OR REPLACE last_calls SET identity = ? WHERE identity = ?",
            (digest(server, new, *tool), digest(server, old, *tool)),
        )
