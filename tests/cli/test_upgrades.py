"""A state file of a newer version: every command refuses it in the same words, and leaves it alone."""

import sqlite3
from contextlib import closing

import pytest

from gateway.state.migrations import VERSION
from tests.cli.conftest import Home, Run

ASKING = [
    ["status"],
    ["limits"],
    ["audit", "tail"],
    ["audit", "query"],
    ["audit", "show", "d1"],
    ["audit", "stats"],
    ["audit", "export"],
    ["audit", "head"],
    ["audit", "verify"],
    ["audit", "prune", "--keep", "1", "--yes"],
    ["policy", "check"],
    ["policy", "replay", "POLICY"],
    ["grants", "list"],
    ["grants", "revoke", "mail"],
    ["stop"],
    ["pins", "list"],
]


@pytest.mark.parametrize("words", ASKING, ids=" ".join)
def test_a_newer_state_is_refused_and_left_alone(run: Run, home: Home, words: list[str]) -> None:
    policy = home.write_policy('{"version": "1", "default": "deny"}')
    home.remember()
    with closing(sqlite3.connect(home.state)) as newer:
        newer.execute(f"PRAGMA user_version = {VERSION + 1}")
    before = home.state.read_bytes()
    ran = run(*(str(policy) if word == "POLICY" else word for word in words))
    assert ran.code == 5, ran
    assert f"the state file has version {VERSION + 1}, newer than this program knows ({VERSION})" in ran.err
    assert "upgrade this program, or choose another path" in ran.err
    assert home.state.read_bytes() == before
