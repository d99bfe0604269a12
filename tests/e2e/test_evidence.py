"""What a gateway writes down of the calls it judged, and what never."""

import json
from collections.abc import Iterator

import pytest

from gateway.state.evidence import examining
from gateway.state.queries import Query
from tests.e2e.process import ALLOW_ALL, Gateway, Home
from tests.e2e.scripted import Scripted

SECRET = "sesame-1234"
ARGUMENTS = {"to": "kim@example.com", "password": SECRET, "note": f"Bearer {SECRET}", "body": f"It is {SECRET}."}


@pytest.fixture
def upstream() -> Iterator[Scripted]:
    with Scripted() as running:
        yield running


def test_values_are_kept_where_the_owner_asked_for_them_and_secrets_never(home: Home, upstream: Scripted) -> None:
    settings = ("--audit-arguments", "values", "--audit-arguments", "two=none", "--audit-redact", "o*=args.to")
    with Gateway(home, upstream.url, *settings, policy=ALLOW_ALL) as gateway:
        gateway.initialize()
        for tool in ("one", "two"):
            gateway.call(tool, ARGUMENTS)
    first = {record.tool: record for record in home.records() if record.kind != "settled"}
    one, two = first["one"], first["two"]
    assert one.argument_names == ("body", "note", "password", "to")
    assert json.loads(one.values or "") == {
        "to": {"$redacted": "by setting"},
        "password": {"$redacted": "secret name"},
        "note": {"$redacted": "looks like a secret"},
        "body": {"$redacted": "content"},
    }
    assert two.reason == "unknown tool"
    assert (two.argument_names, two.argument_digest, two.values) == (("… (+4 names)",), "", None)
    assert not [file for file in home.path.glob("state.db*") if SECRET.encode() in file.read_bytes()]


def test_the_log_of_two_gateways_of_which_one_was_killed_is_whole(home: Home, upstream: Scripted) -> None:
    with (
        Gateway(home, upstream.url, policy=ALLOW_ALL) as first,
        Gateway(home, upstream.url, policy=ALLOW_ALL) as second,
    ):
        for gateway in (first, second):
            gateway.initialize()
        for number in range(40):
            for gateway in (first, second):
                gateway.send({"jsonrpc": "2.0", "id": f"c{number}", "method": "tools/call", "params": {"name": "one"}})
        second.answer("c0")
        second.process.kill()
        first.answers([f"c{number}" for number in range(40)])
    with examining(home.state) as evidence:
        found = evidence.verify()
        head = evidence.head(0.0)
        calls = {each.first.record.session for each in evidence.find(Query(), order="newest", limit=None)}
    assert (found.broken, found.first) == (None, 1)
    assert found.last == head.seq
    assert len(calls) == 2
