"""Requests that are no tool call, judged by the sections (B15)."""

import json

import pytest

from gateway.jsonrpc import Json
from gateway.policy import Decision, Policy, decide_request, load, permits

INBOX: Json = {"default": "deny", "allow": ["keyid://inbox/*"], "deny": ["keyid://inbox/secret*"]}


def policy(default: str = "deny", **sections: Json) -> Policy:
    return load(json.dumps({"version": "1", "default": default, **sections}).encode(), name="p")


def read(judged: Policy, uri: Json, method: str = "resources/read") -> Decision:
    return decide_request(judged, method, {"uri": uri})


@pytest.mark.parametrize("method", ["resources/read", "resources/subscribe"])
@pytest.mark.parametrize(
    ("uri", "rule"),
    [
        ("keyid://inbox/7", None),
        ("KEYID://INBOX/7", None),
        ("keyid://inbox/7/8", "/resources/default"),
        ("keyid://outbox/7", "/resources/default"),
        ("keyid://inbox/secret7", "/resources/deny/0"),
        ("keyid://inbox/%73ecret7", "/resources/deny/0"),
        ("keyid://inbox/../secret", "/resources"),
        (None, "/resources"),
        (["keyid://inbox/7"], "/resources"),
    ],
)
def test_a_resource_is_judged_by_what_its_address_means(method: str, uri: Json, rule: str | None) -> None:
    decision = read(policy(resources=INBOX), uri, method)
    assert (decision.effect, decision.rule) == (("allow", "/resources/allow/0") if rule is None else ("deny", rule)), (
        decision
    )


def test_deny_wins_over_default_allow_as_well() -> None:
    judged = policy(resources={"default": "allow", "deny": ["keyid://Secret/**"]})
    for uri in ("keyid://secret/a/b", "KEYID://SECRET/a", "keyid://%73ecret/a"):
        assert read(judged, uri).rule == "/resources/deny/0"
    assert read(judged, "keyid://inbox/a").rule == "/resources/default"


@pytest.mark.parametrize(
    ("pattern", "uri"),
    [
        ("file:/SECRET/**", "file:/SECRET/a://b"),
        ("urn:SECRET:**", "urn:SECRET:1?next=http://x"),
        ("Secret/**", "Secret/a:b"),
        ("**/Secret/**", "keyid://Secret/1"),
        ("**/Secret/**", "keyid://SECRET/1"),
        ("**Secret:**", "keyid://inbox/Secret:1"),
        ("keyid*://Secret/**", "keyid://secret/1"),
        ("keyid:**Secret/*", "keyid://Secret/1"),
        ("keyi**Secret/*", "keyid://Secret/1"),
        ("keyid://*.Example/**", "KEYID://Inbox.Example/1"),
    ],
)
def test_no_letter_of_an_address_is_made_small_that_a_deny_names(pattern: str, uri: str) -> None:
    judged = policy("allow", resources={"default": "allow", "deny": [pattern]})
    assert read(judged, uri).rule == "/resources/deny/0"
    assert read(judged, "keyid://inbox/1").effect == "allow"


@pytest.mark.parametrize(
    ("pattern", "uri"),
    [("mail:inbox/**", "mail:INBOX/x?://"), ("inbox/**", "INBOX/a:b"), ("**Inbox:**", "keyid://a/inbox:1")],
)
def test_an_allow_opens_no_other_case_of_a_path(pattern: str, uri: str) -> None:
    assert read(policy(resources={"default": "deny", "allow": [pattern]}), uri).rule == "/resources/default"


def test_without_a_section_the_default_decides_and_the_denial_says_what_would_open_it() -> None:
    assert read(policy("allow"), "a:b").effect == "allow"
    words = "is not permitted: the policy denies by default and has no `%s` section that would open it"
    assert read(policy(), "a:b") == Decision(
        "deny", "(default deny)", "resource", f'resource "a:b" {words % "resources"}'
    )
    assert decide_request(policy(), "prompts/get", {"name": "x"}) == Decision(
        "deny", "(default deny)", "prompt", f'prompt "x" {words % "prompts"}'
    )


def test_an_address_that_is_refused_says_why() -> None:
    assert read(policy(resources=INBOX), "keyid://inbox/..").message == (
        'resource "keyid://inbox/.." is not permitted: it has dot segments'
    )


def test_a_prompt_is_judged_by_its_name() -> None:
    judged = policy(prompts={"default": "deny", "allow": ["greet_*"]})
    assert decide_request(judged, "prompts/get", {"name": "greet_ann"}).effect == "allow"
    assert decide_request(judged, "prompts/get", {"name": "Greet_ann"}).rule == "/prompts/default"


@pytest.mark.parametrize("lookalike", ["URI", "ur\u0131", "\uff55\uff52\uff49", "u\u200bri"])
def test_a_key_that_reads_like_the_address_leaves_no_address(lookalike: str) -> None:  # B6
    params: dict[str, Json] = {"uri": "keyid://inbox/7", lookalike: "keyid://secret/7"}
    expected = "allow" if lookalike == "ur\u0131" else "deny"  # a dotless i is another letter to every reader
    assert decide_request(policy(resources=INBOX), "resources/read", params).effect == expected


@pytest.mark.parametrize(
    ("ref", "effect"),
    [
        ({"type": "ref/resource", "uri": "keyid://inbox/{id}"}, "allow"),
        ({"type": "ref/resource", "uri": "keyid://secret/{id}"}, "deny"),
        ({"type": "ref/prompt", "name": "greet"}, "allow"),
        ({"type": "ref/prompt", "name": "other"}, "deny"),
        ({"type": "ref/prompt", "name": "greet", "uri": "keyid://secret/{id}"}, "deny"),
        ({"type": "ref/resource", "uri": "keyid://inbox/{id}", "name": "other"}, "deny"),
        ({"type": "ref/prompt"}, "deny"),
        ({"type": "ref/Resource", "uri": "keyid://inbox/{id}"}, "deny"),
        ({}, "deny"),
        (None, "deny"),
    ],
)
def test_a_completion_follows_what_it_completes(ref: Json, effect: str) -> None:
    judged = policy(resources=INBOX, prompts={"default": "deny", "allow": ["greet"]})
    assert decide_request(judged, "completion/complete", {"ref": ref}).effect == effect


@pytest.mark.parametrize(
    "params",
    [
        {"Ref": {"type": "ref/prompt", "name": "secret"}},
        {"ref": {"type": "ref/prompt", "name": "greet"}, "REF": {"type": "ref/prompt", "name": "secret"}},
        {"ref": {"Type": "ref/prompt", "Name": "secret"}},
        {"ref": {"type": "ref/resource", "uri": "keyid://inbox/7", "Type": "ref/prompt", "Name": "secret"}},
        {"ref": {"type": "ref/prompt", "name": "greet", "Uri": "keyid://secret/7"}},
    ],
)
def test_a_completion_whose_reference_only_reads_like_one_is_refused(params: dict[str, Json]) -> None:
    judged = policy("allow", resources=INBOX, prompts={"default": "deny", "allow": ["greet"]})
    assert decide_request(judged, "completion/complete", params).effect == "deny"


@pytest.mark.parametrize(
    "method", ["Resources/Read", "resources/read ", "prompts/GET", "prompts/ge\u200bt", "Completion/complete"]
)
def test_a_method_that_only_reads_like_a_judged_one_is_refused_by_its_section(method: str) -> None:
    params: dict[str, Json] = {
        "uri": "keyid://inbox/7",
        "name": "greet",
        "ref": {"type": "ref/prompt", "name": "greet"},
    }
    judged = policy("allow", resources=INBOX, prompts={"default": "allow"})
    assert decide_request(judged, method, params).rule in ("/resources", "/prompts")
    assert decide_request(judged, "x/y", params).effect == "allow"


def test_other_methods_follow_their_section() -> None:
    judged = policy(methods={"default": "deny", "allow": ["x-vendor/*"], "deny": ["x-vendor/delete"]})
    rules = {method: decide_request(judged, method, {}).rule for method in ("x-vendor/a", "x-vendor/delete", "y/z")}
    assert rules == {
        "x-vendor/a": "/methods/allow/0",
        "x-vendor/delete": "/methods/deny/0",
        "y/z": "/methods/default",
    }
    assert decide_request(judged, "ping", {}).effect == "allow"


def test_what_is_listed_is_what_could_be_read() -> None:
    judged = policy(resources=INBOX)
    assert permits(judged, "resources", "keyid://inbox/{id}")
    assert not permits(judged, "resources", "keyid://inbox/{+path}/{id}")
    assert not permits(judged, "resources", None)


def test_a_document_that_is_tried_out_relays_and_says_what_it_would_deny() -> None:
    judged = policy(mode="observe", resources=INBOX)
    decision = read(judged, "keyid://secret/7")
    assert (decision.effect, decision.rule) == ("observe", "/resources/default")
    assert permits(judged, "resources", "keyid://secret/7")
