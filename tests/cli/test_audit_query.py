"""`audit query`, `show`, `stats`, `export`, `prune`: what was called, told in every way."""

import csv
import io
import json

import pytest

from gateway.cli import calls
from gateway.cli.commands.audit import show
from tests.cli.conftest import SERVER, Home, Run, record, refused, relayed
from tests.cli.test_audit import _utc

HASH = 64
SOME = [
    *relayed("aaaaaaaaaaaaaaaa", "get_identity"),
    refused("bbbbbbbbbbbbbbbb", "delete_file", values='{"path": "x"}', argument_names=("path",), argument_digest="00"),
    *relayed("bbbbcccccccccccc", "send_email", outcome="tool error", latency_ms=30.0),
    record(decision_id="dddddddddddddddd", tool="wait_for_message", rule="/tools/wait_for_message"),
]
NO_STATE = "there is no state file yet"


@pytest.fixture(autouse=True)
def _in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "local", _utc)
    monkeypatch.setattr(show, "local", _utc)


def tools(run: Run, *words: str) -> list[str]:
    return [json.loads(line)["tool"] for line in run("audit", "query", "--json", *words).out.splitlines()]


def test_a_query_shows_calls_as_tail_does(run: Run, home: Home) -> None:
    home.remember(SOME)
    ran = run("audit", "query", "--effect", "deny")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[1:] == [
        "2023-11-14 (UTC)",
        (
            "22:13:20  deny    delete_file                      not sent                      "
            'me            client              bbbbbbbbbbbbbbbb  (hidden): Tool "delete_file" is hidden by policy'
        ),
    ]
    ran = run("audit", "query", "--limit", "2")
    assert len(ran.out.splitlines()) == 5
    assert ran.out.splitlines()[-1] == "these are the first 2 calls: `--limit` shows more"


@pytest.mark.parametrize(
    ("words", "hints"),
    [
        (("--tool", "send_mail"), ["did you mean `--tool send_email`?"]),
        (
            ("--tool", "nix"),
            ["no call has this tool; there are: delete_file, get_identity, send_email, wait_for_message"],
        ),
        (("--tool", "nix*"), []),
        (("--grant", "bob"), ["no call has this grant; there are: me"]),
        (("--grant", "me", "--session", "s2"), ["no call has this session; there are: s1"]),
        (("--outcome", "faild"), ["did you mean `--outcome failed`?"]),
        (("--outcome", "not-sent"), ["did you mean `--outcome 'not sent'`?"]),
        (
            ("--outcome", "bogus"),
            ["no call has this outcome; there are: ok, failed, not sent, not settled, tool error"],
        ),
        (("--reason", "hiden", "--rule", "(hidde)"), ["`--rule '(hidden)'`?", "`--reason hidden`?"]),
        (("--server", "http://127.0.0.1:1"), [f"did you mean `--server {SERVER}`?"]),
        (("--client", "x" * 100_000), ["no call has this client; there are: client"]),
        (("--tool", "send_email", "--effect", "deny"), []),
    ],
)
def test_a_query_that_finds_nothing_says_what_was_meant(
    run: Run, home: Home, words: tuple[str, ...], hints: list[str]
) -> None:
    home.remember(SOME)
    ran = run("audit", "query", *words)
    assert (ran.code, ran.out) == (0, "no call fits\n")
    said = ran.err.splitlines()
    assert len(said) == len(hints)
    assert all(line.startswith("hint: ") and line.endswith(hint) for line, hint in zip(said, hints, strict=True))
    assert run("audit", "query", "--json", *words).err == ""


def test_what_was_observed_is_found_by_the_word_of_the_table(run: Run, home: Home) -> None:
    home.remember([record(tool="send_email", effect="observe", message="No more.")])
    for effect in ("would", "observe"):
        assert "  would   send_email " in run("audit", "query", "--effect", effect).out


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("send_email", "send_email "),
        ("send_email ", '"send_email "'),
        (" send_email", '" send_email"'),
        ("send\u200b_email", '"send\\u200b_email"'),
        ('"send_email "', '""send_email ""'),
    ],
)
def test_a_name_that_only_looks_like_another_one_does_not(run: Run, home: Home, name: str, shown: str) -> None:
    home.remember([refused("d1", name)])
    assert f"  deny    {shown}" in run("audit", "query").out
    assert f"\n{shown}" in run("audit", "stats").out


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ((), ["wait_for_message", "send_email", "delete_file", "get_identity"]),
        (("--order", "oldest", "--limit", "1"), ["get_identity"]),
        (("--outcome", "failed"), ["send_email"]),
        (("--outcome", "not settled"), ["wait_for_message"]),
        (("--since", "2023-11-14T22:13:21+00:00"), []),
        (
            ("--since", "2023-11-14", "--until", "2023-11-16"),
            ["wait_for_message", "send_email", "delete_file", "get_identity"],
        ),
        (("--since", "1d"), []),
        (("--rule", "/tools/w*", "--grant", "me", "--session", "s1", "--client", "client"), ["wait_for_message"]),
        (("--server", SERVER, "--reason", "hidden"), ["delete_file"]),
    ],
)
def test_a_query_finds_what_is_asked(run: Run, home: Home, words: tuple[str, ...], found: list[str]) -> None:
    home.remember(SOME)
    assert tools(run, *words) == found


def test_a_query_as_json_is_one_call_a_line(run: Run, home: Home) -> None:
    home.remember(SOME)
    line = json.loads(run("audit", "query", "--json", "--tool", "send_email").out)
    assert (line["seq"], line["kind"], line["outcome"], line["latency_ms"], line["settled_at"]) == (
        4,
        "decided",
        "tool error",
        30.0,
        1_700_000_000.25,
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("query", "--since", "yesterday"),
            (
                "`--since`: `yesterday` is no moment\n"
                "hint: write it like `7d` (so long ago), `2026-01-31` or `2026-01-31T14:00`"
            ),
        ),
        (
            ("query", "--since", "1d", "--until", "2d"),
            "nothing is not before `--since` and before `--until`\nhint: exchange the two",
        ),
        (
            ("prune",),
            "one of `--older-than`, `--keep`, `--to-size` is needed\nhint: such as `--older-than 90d`",
        ),
        (
            ("prune", "--keep", "1", "--older-than", "1d"),
            "one of `--older-than`, `--keep`, `--to-size` is needed\nhint: such as `--older-than 90d`",
        ),
        (
            ("prune", "--older-than", "3 months"),
            "`--older-than`: `3 months` is no length of time\nhint: write it like `45s`, `30min`, `12h`, `7d`",
        ),
        (("prune", "--to-size", "big"), "`--to-size`: `big` is no size\nhint: write it like `200MB` or `1GiB`"),
        (("prune", "--keep", "0"), "nobody is there to be asked\nhint: `--yes` answers beforehand"),
        (
            ("show", "x"),
            "no call has the id `x`\nhint: `keyid-gateway audit query` shows ids with --json, or widely",
        ),
        (
            ("show", "bbbb"),
            "several calls have an id that begins with `bbbb`\nhint: `bbbbbbbbbbbbbbbb`, `bbbbcccccccccccc`",
        ),
        (("show", ""), "no call has the id ``\nhint: `keyid-gateway audit query` shows ids with --json, or widely"),
    ],
)
def test_what_makes_no_sense(run: Run, home: Home, words: tuple[str, ...], message: str) -> None:
    home.remember(SOME)
    ran = run("audit", *words)
    assert (ran.code, ran.out, ran.err) == (2, "", f"error: {message}\n")


def test_the_story_of_a_relayed_call(run: Run, home: Home) -> None:
    home.remember(SOME)
    ran = run("audit", "show", "aaaa")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[:7] == [
        "call       aaaaaaaaaaaaaaaa: get_identity",
        "decided    2023-11-14 22:13:20 UTC  allow by /tools/get_identity (allowed)",
        "settled    2023-11-14 22:13:20 UTC  ok, HTTP 200, took 12 ms",
        "by         grant me, session s1, client client 1",
        f"at         {SERVER}",
        "policy     revision r1",
        "arguments  (none)",
    ]
    assert [line[:23] for line in lines[7:9]] == ["record     1 of 6, hash", "record     2 of 6, hash"]
    assert lines[9:] == ["next: `keyid-gateway audit verify` says whether the log is what was written"]


def test_the_story_of_a_refused_call_and_of_one_that_nobody_can_tell(run: Run, home: Home) -> None:
    home.remember(SOME)
    lines = run("audit", "show", "bbbbbbbbbbbbbbbb").out.splitlines()
    assert lines[1:3] == [
        "refused    2023-11-14 22:13:20 UTC  deny by (hidden) (hidden)",
        '           Tool "delete_file" is hidden by policy',
    ]
    assert lines[6:9] == ["arguments  path", 'values     {"path": "x"}', "digest     00"]
    lines = run("audit", "show", "dddd").out.splitlines()
    assert lines[2] == "settled    not (yet, or ever: a gateway that was killed cannot say what came of a call)"
    found = json.loads(run("audit", "show", "aaaa", "--json").out)
    assert (found["decision_id"], found["newest"]) == ("aaaaaaaaaaaaaaaa", 6)
    assert [(item["kind"], len(item["hash"])) for item in found["records"]] == [("decided", HASH), ("settled", HASH)]


def test_the_log_in_numbers(run: Run, home: Home) -> None:
    home.remember(SOME)
    ran = run("audit", "stats")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (
        "4 calls: 3 allow, 1 deny\n"
        "relayed calls took 12 ms (half of them), 30 ms (99 of 100)\n"
        "\n"
        "tool              calls  p50    p99    decided\n"
        "delete_file       1                    1 deny\n"
        "get_identity      1      12 ms  12 ms  1 allow\n"
        "send_email        1      30 ms  30 ms  1 allow\n"
        "wait_for_message  1                    1 allow\n"
        "\n"
        "grant  calls\n"
        "me     4\n"
        "\n"
        "client (what it calls itself)  calls\n"
        "client                         4\n"
        "\n"
        "rule (of what was not simply allowed)  calls\n"
        "(hidden)                               1\n"
        "\n"
        "outcome     calls\n"
        "ok          1\n"
        "tool error  1\n"
        "\n"
        "day (UTC)   calls\n"
        "2023-11-14  4\n"
    )
    assert run("audit", "stats", "--since", "1d").out == "no call was judged in this time\n"
    found = json.loads(run("audit", "stats", "--json").out)
    assert (found["grants"], found["clients"]) == ({"me": 4}, {"client": 4})
    assert found["days"] == {"2023-11-14": {"allow": 3, "deny": 1}}
    assert found["tools"]["send_email"] == {"effects": {"allow": 1}, "latency_ms": {"p50": 30.0, "p99": 30.0}}


def test_without_a_state_file(run: Run, home: Home) -> None:
    for words in (("query",), ("stats",), ("prune", "--keep", "1")):
        ran = run("audit", *words)
        assert (ran.code, ran.out, ran.err) == (0, f"{NO_STATE} (`{home.state}`)\n", "")
    assert json.loads(run("audit", "stats", "--json").out)["calls"] == 0
    assert json.loads(run("audit", "prune", "--keep", "1", "--json").out)["removed"] == 0
    for failing in (("export",), ("show", "x")):
        ran = run("audit", *failing)
        assert ran.code != 0
        assert ran.err.splitlines()[0] == f"error: {NO_STATE} (`{home.state}`)"
    assert not home.state.exists()


def test_every_record_as_json_lines(run: Run, home: Home) -> None:
    home.remember(SOME)
    lines = [json.loads(line) for line in run("audit", "export").out.splitlines()]
    assert [line["seq"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert all(len(line["hash"]) == HASH for line in lines)
    assert lines[-1]["hash"] == json.loads(run("audit", "head", "--json").out)["hash"]


def test_every_record_as_an_opentelemetry_log(run: Run, home: Home) -> None:
    home.remember(SOME)
    plain = [json.loads(line) for line in run("audit", "export").out.splitlines()]
    logs = []
    for line in run("audit", "export", "--format", "otlp").out.splitlines():
        (resource,) = json.loads(line)["resourceLogs"]
        assert resource["resource"]["attributes"] == [
            {"key": "service.name", "value": {"stringValue": "keyid-gateway"}}
        ]
        (scope,) = resource["scopeLogs"]
        logs += scope["logRecords"]
    assert len(logs) == len(plain)
    for log, same in zip(logs, plain, strict=True):
        attributes = {each["key"]: each["value"] for each in log["attributes"]}
        assert int(log["timeUnixNano"]) // 1000 == round(same["at"] * 1_000_000)
        assert log["eventName"] == f"keyid_gateway.audit.{same['kind']}"
        assert attributes["keyid_gateway.seq"] == {"intValue": str(same["seq"])}
        assert attributes["keyid_gateway.hash"] == {"stringValue": same["hash"]}
        assert ("keyid_gateway.upstream_status" in attributes) == (same["upstream_status"] is not None)
        refused = same["effect"] != "allow"
        settled = same["kind"] == "settled"
        wrong = settled and same["outcome"] not in ("ok", "input required", "cancelled")
        assert log["severityText"] == ("ERROR" if wrong else "WARN" if refused and not settled else "INFO")
    ran = run("audit", "export", "--format", "otlp", "--json")
    assert (ran.code, ran.err.splitlines()[0]) == (2, "error: `--json` and `--format otlp` exclude each other")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\uff1d1", '"quoted", with\nlines'])
def test_csv_runs_no_formula(run: Run, home: Home, text: str) -> None:
    home.remember([refused("d1", text, message=text, argument_names=(text, "b"))])
    ran = run("audit", "export", "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(ran.out, newline=""))
    shown = text if text.startswith('"') else f"'{text}"
    assert (row["tool"], row["message"], row["argument_names"], row["outcome"]) == (shown, shown, f"{shown}, b", "")


def test_an_export_goes_to_a_new_file_of_its_owner(run: Run, home: Home) -> None:
    home.remember(SOME)
    file = home.folder / "out.csv"
    ran = run("audit", "export", "--format", "csv", "-o", str(file))
    assert (ran.code, ran.out, ran.err) == (0, "", f"wrote 6 records to `{file}`\n")
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(file.read_text(encoding="utf-8").splitlines()) == 7
    ran = run("audit", "export", "-o", str(file))
    assert (ran.code, ran.err) == (
        2,
        f"error: `{file}` cannot be written: file exists\nhint: choose a new file in a folder of yours\n",
    )


def test_pruning_says_what_went_and_what_is_left(run: Run, home: Home) -> None:
    home.remember(SOME)
    assert run("audit", "prune", "--keep", "9").out == "nothing to take out of 6 records\n"
    ran = run("audit", "prune", "--keep", "2", "--yes")
    assert (ran.code, ran.err) == (0, "")
    first, size, last = ran.out.splitlines()
    assert first == "took out 4 records, kept 3 (the newest says what was taken out)"
    assert size.endswith(" MB are in use")
    assert last == "next: keep a new head elsewhere: `keyid-gateway audit head`"
    assert run("audit", "verify").out.startswith("the audit log is what was written: 3 records, 5 to 7\n")
    assert (
        run("audit", "tail", "-n", "1")
        .out.splitlines()[-1]
        .endswith("records 1 to 4 were taken out: all but the newest 2")
    )
    assert tools(run) == ["wait_for_message"]
    found = json.loads(run("audit", "prune", "--older-than", "1d", "--yes", "--json").out)
    assert (found["removed"], found["kept"]) == (2, 2)


def test_pruning_asks(run: Run, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.remember(SOME)
    answers = iter("ny")

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("click.confirm", lambda _: next(answers) == "y")
    ran = run("audit", "prune", "--keep", "0")
    assert ran.code == 1
    assert ran.out.splitlines()[0] == "records 1 to 6 of 6 would go:"
    assert len(tools(run)) == 4
    assert run("audit", "prune", "--keep", "0").code == 0
    assert tools(run) == []
