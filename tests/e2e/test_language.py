"""The language through the real process: patterns, facts, schemas, limits, what is tried out, sections, layers."""

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.clock import SystemClock
from gateway.standin import Post, Standin, StandinOptions
from gateway.state import reading
from tests.e2e.arena import ERAS, HANDSHAKE, META
from tests.e2e.process import PATIENCE, Gateway, Home, called_tools, decision

DAY = 86_400
ECHO, OTHER = "standin_read_1", "standin_read_2"
SECRET, MAIL = "list_contacts", "list_crons"


@pytest.fixture(scope="module")
def upstream() -> Iterator[Standin]:
    with Standin(StandinOptions(), clock=SystemClock()) as running:
        yield running


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def noon(home: Home) -> Home:
    """A home whose clocks say noon (UTC): no window ends while a test runs."""
    home.move_clock(DAY / 2 - time.time() % DAY)
    return home


def document(tools: Mapping[str, Any] | None = None, default: str = "deny", **more: Any) -> dict[str, Any]:
    return {"version": "1", "default": default, "tools": tools or {}, **more}


def started(home: Home, url: str, era: str, *arguments: str, policy: Mapping[str, Any]) -> Gateway:
    gateway = Gateway(home, url, *arguments, policy=policy, clocked=True)
    if era == HANDSHAKE:
        gateway.initialize()
    return gateway


def call(gateway: Gateway, era: str, tool: str = ECHO, arguments: Mapping[str, Any] | None = None) -> Any:
    return gateway.call(tool, arguments or {}, _meta=META[era])


def rule(result: Any) -> str | None:
    """The rule of a denial; None for what was relayed."""
    return None if "keyid-gateway/decision" not in result.get("_meta", {}) else str(decision(result)["rule"])


def limit(**fields: Any) -> dict[str, Any]:
    return {"counter": "c", "window": "day", "max": 3, "scope": "grant", **fields}


def condition(path: str, op: str, value: Any) -> dict[str, Any]:
    return {"conditions": [{"path": path, "op": op, "value": value}]}


# --- patterns ---------------------------------------------------------------------------------------------------------


def test_b10_all_patterns_that_match_restrict_together_and_all_tools_with_them(
    home: Home, upstream: Standin, era: str
) -> None:
    policy = document(
        {
            "standin_*": {},
            "*_read_1": {"deny_if": [condition("args.a", "exists", True)]},
            ECHO: {"deny_if": [condition("args.b", "exists", True)]},
        },
        hide=["standin_read_3*"],
        all_tools={"deny_if": [condition("args.c", "exists", True)]},
    )
    with started(home, upstream.url, era, policy=policy) as gateway:
        names = [tool["name"] for tool in gateway.request("tools/list", {"_meta": META[era]})["result"]["tools"]]
        assert ECHO in names
        assert not [name for name in names if name.startswith("standin_read_3")]
        assert rule(call(gateway, era)) is None
        assert rule(call(gateway, era, arguments={"a": 1})) == "/tools/*_read_1/deny_if/0"
        assert rule(call(gateway, era, arguments={"b": 1})) == f"/tools/{ECHO}/deny_if/0"
        assert rule(call(gateway, era, arguments={"c": 1})) == "/all_tools/deny_if/0"
        assert rule(call(gateway, era, "standin_read_3")) == "(hidden)"
        assert rule(call(gateway, era, "delete_file")) == "(default deny)"


# --- facts ------------------------------------------------------------------------------------------------------------

SEQUENCE = document({SECRET: {}, MAIL: {"deny_if": [condition(f"grant.seconds_since.{SECRET}", "lt", 3600)]}, ECHO: {}})


def test_b24_a_sequence_is_seen_across_processes_restarts_and_clocks_that_go_back(
    noon: Home, upstream: Standin, era: str
) -> None:
    refused = f"/tools/{MAIL}/deny_if/0"
    with (
        started(noon, upstream.url, era, policy=SEQUENCE) as one,
        started(noon, upstream.url, era, policy=SEQUENCE) as two,
    ):
        assert rule(call(one, era, MAIL)) is None
        assert rule(call(one, era, SECRET)) is None
        assert [rule(call(gateway, era, MAIL)) for gateway in (one, two)] == [refused, refused]
        for back in (-1, -3600, -DAY):
            noon.move_clock(back)
            assert rule(call(two, era, MAIL)) == refused
        noon.move_clock(DAY + 3601)
    with started(noon, upstream.url, era, policy=SEQUENCE) as three:
        assert rule(call(three, era, MAIL)) == refused
        noon.move_clock(3600)
        assert rule(call(three, era, MAIL)) is None
        noon.move_clock(-DAY)
        assert rule(call(three, era, MAIL)) is None, "the hour was over, and does not begin again"


def test_b24_a_call_is_noted_though_only_another_process_has_the_rule(noon: Home, upstream: Standin, era: str) -> None:
    with started(noon, upstream.url, era, policy=document(default="allow")) as free:
        assert rule(call(free, era, SECRET)) is None
    with started(noon, upstream.url, era, policy=SEQUENCE) as ruled:
        assert rule(call(ruled, era, MAIL)) == f"/tools/{MAIL}/deny_if/0"


def test_a_session_counts_its_calls_and_denials_and_a_burst_is_counted_exactly(
    home: Home, upstream: Standin, era: str
) -> None:
    policy = document(
        {
            ECHO: {"require": [condition(f"session.calls.{ECHO}", "lt", 3)]},
            OTHER: {"require": [condition("session.denials", "lt", 9)]},
        }
    )
    with started(home, upstream.url, era, policy=policy) as gateway:
        begun = [gateway.begin("tools/call", {"name": ECHO, "arguments": {}, "_meta": META[era]}) for _ in range(10)]
        results = [answer["result"] for answer in gateway.answers(begun)]
        assert [rule(result) for result in results].count(None) == 3
        assert rule(call(gateway, era, OTHER)) is None
        for _ in range(2):
            call(gateway, era)
        assert rule(call(gateway, era, OTHER)) == f"/tools/{OTHER}/require/0"


def test_the_time_the_client_the_grant_and_the_tool_can_be_asked_for(noon: Home, upstream: Standin, era: str) -> None:
    asked: Mapping[str, tuple[str, Any]] = {
        "time.hour": ("eq", 14),
        "client.name": ("eq", "test-client"),
        "grant": ("eq", "ann"),
        "tool.name": ("regex", "^standin_"),
        "tool.annotations.destructiveHint": ("exists", True),
    }
    conditions = [{"path": path, "op": op, "value": value} for path, (op, value) in asked.items()]
    policy = document({ECHO: {"require": [{"conditions": conditions}]}}, timezone="Africa/Johannesburg")
    with started(noon, upstream.url, era, "--grant", "ann", policy=policy) as gateway:
        assert rule(call(gateway, era)) is None
        noon.move_clock(3600)
        assert rule(call(gateway, era)) == f"/tools/{ECHO}/require/0"
    with started(noon, upstream.url, era, "--grant", "bob", policy=policy) as gateway:
        noon.move_clock(-3600)
        assert rule(call(gateway, era)) == f"/tools/{ECHO}/require/0"


# --- schemas ----------------------------------------------------------------------------------------------------------


def test_arguments_must_fit_the_announced_schema(home: Home, upstream: Standin, era: str) -> None:
    policy = document({"send_email": {"validate": {"schema": True}}, ECHO: {"validate": {"schema": True}}})
    since = len(upstream.journal)
    with started(home, upstream.url, era, policy=policy) as gateway:
        refused = call(gateway, era, "send_email", {"to": ["s3cret"], "subject": "s", "body": "b"})
        assert rule(refused) == "/tools/send_email/validate/schema"
        assert "args.to" in refused["content"][0]["text"]
        assert "s3cret" not in json.dumps(refused)
        assert rule(call(gateway, era)) is None
    assert called_tools(upstream.journal[since:]) == [ECHO]


# --- limits -----------------------------------------------------------------------------------------------------------

LIMITS: Mapping[str, tuple[Mapping[str, Any], list[Mapping[str, Any]], int]] = {
    "sliding": (limit(window=3600), [{}], 3),
    "server": (limit(scope="server"), [{}], 3),
    "cost": (limit(increment_from="args.n", max=1), [{"n": 0.1}], 10),
    "per": (limit(per="args.to"), [{"to": "a"}, {"to": "b"}], 6),
}


@pytest.mark.parametrize("kind", LIMITS)
def test_b24_ten_processes_gain_no_call(noon: Home, upstream: Standin, kind: str) -> None:
    counted, arguments, most = LIMITS[kind]
    since = len(upstream.journal)
    policy = document({ECHO: {"limits": [counted]}})
    gateways = [started(noon, upstream.url, HANDSHAKE, policy=policy) for _ in range(10)]
    try:
        begun = [
            [gateway.begin("tools/call", {"name": ECHO, "arguments": dict(sent)}) for sent in arguments * 2]
            for gateway in gateways
        ]
        answers = [gateway.answers(sent) for gateway, sent in zip(gateways, begun, strict=True)]
        results = [answer["result"] for each in answers for answer in each]
    finally:
        for gateway in gateways:
            assert gateway.close() == 0
    assert [rule(result) for result in results].count(None) == most
    assert called_tools(upstream.journal[since:]).count(ECHO) == most


def test_b24_a_session_has_its_own_count_that_never_begins_again(noon: Home, upstream: Standin, era: str) -> None:
    policy = document({ECHO: {"limits": [limit(window="session", scope="session")]}})
    words = (
        "[POLICY DENIED] Rate limit of 3 per session reached. Waiting does not help: it counts for the whole session."
    )
    with started(noon, upstream.url, era, policy=policy) as gateway:
        assert [rule(call(gateway, era)) for _ in range(4)] == [None] * 3 + [f"/tools/{ECHO}/limits/0"]
        noon.move_clock(400 * DAY)
        refused = call(gateway, era)
        assert (refused["content"][0]["text"], decision(refused)["retry_after_seconds"]) == (words, None)
        if era == HANDSHAKE:
            gateway.initialize()
            assert rule(call(gateway, era)) == f"/tools/{ECHO}/limits/0", "a session is the life of one process"
    with started(noon, upstream.url, era, policy=policy) as gateway:
        assert rule(call(gateway, era)) is None


def test_b24_one_window_slides_for_every_grant_where_the_scope_is_the_server(
    noon: Home, upstream: Standin, era: str
) -> None:
    policy = document({ECHO: {"limits": [limit(window=60, scope="server", max=1)]}})
    with (
        started(noon, upstream.url, era, "--grant", "ann", policy=policy) as ann,
        started(noon, upstream.url, era, "--grant", "bob", policy=policy) as bob,
    ):
        assert rule(call(ann, era)) is None
        noon.move_clock(59)
        assert rule(call(bob, era)) == f"/tools/{ECHO}/limits/0"
        noon.move_clock(1)
        assert rule(call(bob, era)) is None


@pytest.mark.parametrize("cost", ["-1", "-1e-9", '"1"', "null", "[1]", "true", "1e-5000"])
def test_b11_a_cost_that_is_none_is_denied_and_costs_nothing(
    noon: Home, upstream: Standin, era: str, cost: str
) -> None:
    policy = document({ECHO: {"limits": [limit(increment_from="args.n", max=1)]}})
    with started(noon, upstream.url, era, policy=policy) as gateway:
        params = f'{{"name":"{ECHO}","arguments":{{"n":{cost}}},"_meta":{json.dumps(META[era])}}}'
        gateway.send(f'{{"jsonrpc":"2.0","id":"n","method":"tools/call","params":{params}}}\n'.encode())
        assert rule(gateway.answer("n")["result"]) == f"/tools/{ECHO}/limits/0/increment_from"
        assert rule(call(gateway, era, arguments={"n": 1})) is None
        assert rule(call(gateway, era, arguments={"n": 1e-300})) == f"/tools/{ECHO}/limits/0"
        assert rule(call(gateway, era, arguments={"n": 0})) is None


def test_values_that_are_counted_apart_are_not_kept_in_the_file(noon: Home, upstream: Standin) -> None:
    policy = document({ECHO: {"limits": [limit(per="args.to")]}})
    with started(noon, upstream.url, HANDSHAKE, policy=policy) as gateway:
        assert rule(call(gateway, HANDSHAKE, arguments={"to": "someone-secret@example.com"})) is None
        assert rule(call(gateway, HANDSHAKE, arguments={"to": ["someone-secret@example.com"]})) == (
            f"/tools/{ECHO}/limits/0/per"
        )
    with reading(noon.state) as transaction:
        (usage,) = transaction.counters.usage(time.time())
    assert usage.key.per is not None
    assert all(b"someone-secret" not in file.read_bytes() for file in noon.path.glob("state.db*"))


# --- what is only tried out -------------------------------------------------------------------------------------------


def test_what_is_tried_out_is_relayed_counted_and_recorded(noon: Home, upstream: Standin, era: str) -> None:
    tools = {ECHO: {"limits": [limit(max=1)]}, OTHER: {"action": "deny"}}
    since = len(upstream.journal)
    with started(noon, upstream.url, era, policy=document(tools, mode="observe", hide=[SECRET])) as gateway:
        for tool in (ECHO, ECHO, OTHER, MAIL):
            assert rule(call(gateway, era, tool)) is None
        assert rule(call(gateway, era, SECRET)) == "(hidden)"
        gateway.wait_for_error("`mode` is `observe`: what the policy would deny is relayed, and only recorded")
    assert called_tools(upstream.journal[since:]) == [ECHO, ECHO, OTHER, MAIL]
    told = [(record.tool, record.effect, record.rule) for record in noon.records() if record.kind != "settled"]
    assert told == [
        (ECHO, "allow", f"/tools/{ECHO}"),
        (ECHO, "observe", f"/tools/{ECHO}/limits/0"),
        (OTHER, "observe", f"/tools/{OTHER}/action"),
        (MAIL, "observe", "(default deny)"),
        (SECRET, "deny", "(hidden)"),
    ]


def test_a_tool_that_is_tried_out_is_still_counted_by_what_is_enforced(noon: Home, upstream: Standin, era: str) -> None:
    policy = document({ECHO: {"action": "deny", "mode": "observe"}}, all_tools={"limits": [limit(max=2)]})
    with started(noon, upstream.url, era, policy=policy) as gateway:
        assert [rule(call(gateway, era)) for _ in range(3)] == [None, None, "/all_tools/limits/0"]
        gateway.wait_for_error(f"`mode` is `observe` for `{ECHO}`: what would be denied is relayed")


# --- resources and prompts --------------------------------------------------------------------------------------------

SECTIONS = document(
    {ECHO: {}},
    resources={"default": "deny", "allow": ["keyid://inbox/*", "keyid://messages/{*}"], "deny": ["keyid://inbox/x*"]},
    prompts={"default": "deny", "allow": ["sign_*"]},
    methods={"default": "deny", "allow": ["x-vendor/*"]},
)


def test_b15_resources_and_prompts_are_judged_one_by_one(home: Home, upstream: Standin, era: str) -> None:
    with started(home, upstream.url, era, policy=SECTIONS) as gateway:

        def ask(method: str, **params: Any) -> Any:
            return gateway.request(method, {**params, "_meta": META[era]})

        def refused(answer: Any) -> Any:
            return answer["error"]["code"], answer["error"]["data"]["keyid-gateway/decision"]["rule"]

        assert "result" in ask("resources/read", uri="keyid://inbox/unread")
        assert refused(ask("resources/read", uri="keyid://identity")) == (-33403, "/resources/default")
        for spelling in ("keyid://inbox/%78y", "KEYID://INBOX/xy"):
            assert refused(ask("resources/read", uri=spelling)) == (-33403, "/resources/deny/0")
        for spelling in ("keyid://inbox/../identity", "keyid://inbox/%2e%2e/identity", "keyid://inbox/a%2fb"):
            assert refused(ask("resources/read", uri=spelling)) == (-33403, "/resources")
        assert [item["uri"] for item in ask("resources/list")["result"]["resources"]] == ["keyid://inbox/unread"]
        assert [item["name"] for item in ask("prompts/list")["result"]["prompts"]] == ["sign_up"]
        assert "result" in ask("prompts/get", name="sign_up", arguments={"service": "x"})
        assert refused(ask("prompts/get", name="answer_message", arguments={})) == (-33403, "/prompts/default")
        ref = {"type": "ref/prompt", "name": "answer_message"}
        completed = ask("completion/complete", ref=ref, argument={"name": "tone", "value": ""})
        assert refused(completed) == (-33403, "/prompts/default")
        assert refused(ask("y/z")) == (-32601, "/methods/default")
        assert "keyid-gateway/decision" not in json.dumps(ask("x-vendor/do"))
    arrived = json.dumps([entry.get("body") for entry in upstream.journal])
    assert "%2e%2e" not in arrived
    assert "keyid://identity" not in arrived


def test_b15_news_of_what_may_not_be_read_are_dropped_after_an_edit(home: Home, standin: Standin) -> None:
    inbox = "keyid://inbox/unread"
    with Gateway(home, standin.url, policy=document({"send_email": {}}, "allow")) as gateway:
        gateway.initialize()
        assert "result" in gateway.request("resources/subscribe", {"uri": inbox})
        assert standin.wait_for(lambda entry: entry.get("http") == "GET", PATIENCE), "the stream that news come on"
        standin.deliver(Post("email", "a@b.example", "news", "Hi"))
        gateway.hear("notifications/resources/updated")
        home.policy(document({"send_email": {}}, "allow", resources={"default": "allow", "deny": [inbox]}))
        gateway.hear("notifications/resources/list_changed")
        standin.deliver(Post("email", "a@b.example", "news", "Hi"))
        gateway.wait_for_error("news of a resource that may not be read were dropped")
        assert "error" in gateway.request("resources/subscribe", {"uri": inbox})
        assert "notifications/resources/updated" not in [message.get("method") for message in gateway.others]


# --- layers -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def site(home: Home) -> Path:
    """The site's policy, in a folder of the test's own."""
    folder = home.path / "xdg" / "keyid-gateway"
    folder.mkdir(parents=True)
    home.environment["XDG_CONFIG_DIRS"] = str(home.path / "xdg")
    return folder / "policy.json"


def write(file: Path, policy: Mapping[str, Any] | str) -> None:
    fresh = file.with_suffix(".new")
    fresh.write_text(policy if isinstance(policy, str) else json.dumps(policy), encoding="utf-8")
    fresh.replace(file)


def until(gateway: Gateway, era: str, expected: str | None) -> None:
    """Call until the expected rule refuses, or nothing does: an edit is in force within half a second."""
    deadline = time.monotonic() + PATIENCE
    while rule(call(gateway, era)) != expected:
        assert time.monotonic() < deadline


def test_b32_a_call_needs_every_layer_each_of_which_is_reloaded(
    home: Home, site: Path, upstream: Standin, era: str
) -> None:
    project = home.path / "project.json"
    write(site, document(default="allow", tools={OTHER: {"action": "deny"}}))
    write(project, document({ECHO: {}, "delete_file": {}}))
    with started(
        home, upstream.url, era, "--project-policy", str(project), policy=document({ECHO: {}, OTHER: {}})
    ) as gateway:
        assert rule(call(gateway, era)) is None
        assert rule(call(gateway, era, OTHER)) == f"site:/tools/{OTHER}/action"
        assert rule(call(gateway, era, "delete_file")) == "(default deny)", "a project opens nothing"
        write(project, document({OTHER: {}}))
        until(gateway, era, "project:(default deny)")
        write(project, document({ECHO: {}}))
        until(gateway, era, None)
        project.unlink()
        assert rule(call(gateway, era, OTHER)) == f"site:/tools/{OTHER}/action"
        write(site, document({"x": {}}))
        until(gateway, era, "site:(default deny)")
        write(site, "{")
        until(gateway, era, "(no policy)")
        refused = call(gateway, era)["content"][0]["text"]
        assert "the site policy cannot be taken" in refused
        write(site, document(default="allow"))
        until(gateway, era, None)


def test_b32_a_site_policy_that_is_broken_refuses_everything_from_the_start(
    home: Home, site: Path, upstream: Standin, era: str
) -> None:
    write(site, '{"version": "1", "default": "allow", "tolls": {}}')
    with started(home, upstream.url, era, policy=document(default="allow")) as gateway:
        refused = call(gateway, era)
        assert rule(refused) == "(no policy)"
        assert "the site policy cannot be taken" in refused["content"][0]["text"]
        assert "unknown key `tolls`" in refused["content"][0]["text"]


def test_b32_a_project_is_not_looked_at_unless_a_setting_names_it(home: Home, upstream: Standin) -> None:
    folder = home.path / ".keyid-gateway"
    folder.mkdir()
    write(folder / "policy.json", document())
    with started(home, upstream.url, HANDSHAKE, policy=document(default="allow")) as gateway:
        assert rule(call(gateway, HANDSHAKE)) is None


def test_b24_the_counters_of_a_layer_are_its_own(noon: Home, site: Path, upstream: Standin, era: str) -> None:
    write(site, document(default="allow", tools={ECHO: {"limits": [limit(max=2)]}}))
    with started(noon, upstream.url, era, policy=document({ECHO: {"limits": [limit(max=3)]}})) as gateway:
        assert [rule(call(gateway, era)) for _ in range(3)] == [None, None, f"site:/tools/{ECHO}/limits/0"]
    with reading(noon.state) as transaction:
        usages = {usage.key.layer: int(usage.used) for usage in transaction.counters.usage(0)}
    assert usages == {"site": 2, "user": 2}
