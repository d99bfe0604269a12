"""No policy that we hand out lets mail go to somebody whom it does not name, however the arguments are written."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.demonstration.document import document as of_the_demonstration
from gateway.keyid import recommended
from gateway.standin import Standin
from tests.e2e.arena import ERAS, GOOD, Arena, open_arena
from tests.e2e.process import Gateway, Home, called_tools

ROOT = Path(__file__).parents[2]


def _of_the_readme() -> Any:
    text = (ROOT / "README.md").read_text("utf-8")
    return next(
        json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL) if '"default"' in block
    )


def _of_a_sample(name: str) -> Any:
    return json.loads((ROOT / "sample_policies" / name / "policy.json").read_text("utf-8"))


POLICIES: Mapping[str, Any] = {
    "recommended": recommended.document(),
    "readme": _of_the_readme(),
    "demonstration": of_the_demonstration(),
    "email-guard": _of_a_sample("email-guard"),
}
COPIES = [
    '[null,"eve@evil.example"]',
    '["","eve@evil.example"]',
    '[["eve@evil.example"]]',
    '[{"a":"eve@evil.example"}]',
    '"eve@evil.example"',
    '{"0":"eve@evil.example"}',
    '[null,null,null,null,null,null,"eve@evil.example"]',
]
TO = [
    "eve%evil.example@example.com",
    "evil.example!eve@example.com",
    "mailto:eve?bcc=x&@example.com",
    "kim\u200b@example.com",
    "kim@example.com\r\nBcc: eve@evil.example",
    "kim@example.com,eve@evil.example",
    '"a b"@example.com',
    "kim@example.com\x00",
    "kim@example.com@evil.example",
    "<kim@example.com>",
    "",
]


def with_good(name: str) -> Mapping[str, Any]:
    """The policy without what bounds all calls together, and with the call that every arena makes."""
    policy = {key: value for key, value in POLICIES[name].items() if key not in ("all_tools", "$schema")}
    return {**policy, "tools": {**policy["tools"], GOOD: {}}}


@pytest.fixture(
    scope="module",
    params=[(era, name) for name in POLICIES for era in (ERAS if name == "recommended" else ERAS[:1])],
    ids="-".join,
)
def arena(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    era, name = request.param
    with open_arena(tmp_path_factory.mktemp("home"), with_good(name), era) as opened:
        yield opened


@pytest.mark.parametrize("name", ["cc", "bcc"])
@pytest.mark.parametrize("copies", COPIES)
def test_b8_no_copy_hides_in_a_list(arena: Arena, name: str, copies: str) -> None:
    arena.denies("send_email", f'{{"to":"kim@example.com","subject":"s","body":"b","{name}":{copies}}}')


@pytest.mark.parametrize("to", TO)
def test_b8_no_second_address_hides_in_one(arena: Arena, to: str) -> None:
    arena.denies("send_email", json.dumps({"to": to, "subject": "s", "body": "b"}))


@pytest.mark.parametrize("name", POLICIES)
def test_an_ordinary_mail_goes_out(name: str, home: Home, standin: Standin) -> None:
    with Gateway(home, standin.url, policy=POLICIES[name]) as gateway:
        gateway.initialize()
        mail = {"to": "kim@example.com", "subject": "s", "body": "b", "cc": [], "bcc": []}
        assert "keyid-gateway/decision" not in gateway.call("send_email", mail).get("_meta", {})
    assert called_tools(standin.journal) == ["send_email"]


@pytest.fixture(scope="module", params=["recommended", "email-guard"])
def strict(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    """Those that hold the arguments against the tool's schema, and look at single lines."""
    with open_arena(tmp_path_factory.mktemp("home"), with_good(request.param), ERAS[0]) as opened:
        yield opened


@pytest.mark.parametrize("name", ["Bcc", "BCC", "recipients", "headers"])
def test_b6_what_the_schema_does_not_describe_is_not_sent_on(strict: Arena, name: str) -> None:
    strict.denies("send_email", f'{{"to":"kim@example.com","subject":"s","body":"b","{name}":["eve@evil.example"]}}')


@pytest.mark.parametrize("subject", ["s\r\nBcc: eve@evil.example", "s\nx", "s\rx", "s\x00", "s\u2028x", "s\x85x"])
def test_b29_a_subject_is_one_line(strict: Arena, subject: str) -> None:
    strict.denies("send_email", json.dumps({"to": "kim@example.com", "subject": subject, "body": "b"}))
