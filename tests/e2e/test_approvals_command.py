"""`keyid-gateway approvals` on a terminal: what a person sees of a call, and how it is answered (B21, B23)."""

import json
import re
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from gateway.standin import Standin
from gateway.state import reading
from tests.e2e.asked import answer, changed, pending
from tests.e2e.process import PATIENCE, Gateway, Home, decision
from tests.e2e.terminal import Terminal
from tests.e2e.test_approvals import MAIL, OTHER, SEND, begun, policy, ran, required, text, told
from tests.warm import ROOT, run

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")


@pytest.fixture
def quick(home: Home) -> Home:
    """A home whose gateways do not wait for an answer."""
    home.environment["KEYID_GATEWAY_APPROVAL_WAIT"] = "0"
    return home


def piped(home: Home, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return run(
        [sys.executable, "-m", "gateway", "approvals", *words], told=given, env=home.variables(), timeout=PATIENCE
    )


def set_pin(home: Home, pin: str) -> None:
    with Terminal(home, "approvals", "pin", "set") as terminal:
        terminal.wait_for("new PIN: ")
        terminal.type(f"{pin}\n")
        terminal.wait_for("once more: ")
        terminal.type(f"{pin}\n")
        terminal.wait_for("the PIN is asked for with every answer from now on")
        assert terminal.end() == 0
        assert pin not in terminal.shown


def test_a_held_call_goes_on_when_it_is_approved_at_a_terminal(home: Home, standin: Standin) -> None:
    with Gateway(home, standin.url, policy=policy()) as gateway:
        gateway.initialize()
        identifier = begun(gateway)
        number = pending(home)[0].question.id
        with Terminal(home, "approvals", "approve", number[:3].upper()) as terminal:
            shown = terminal.wait_for("show the whole of it > ")
            assert "reason  Mail goes out." in shown
            assert '  to  "ann@example.com"' in shown
            terminal.type("y\n")
            terminal.wait_for(f"approved: question {number}; the call that waits goes on now")
            assert terminal.end() == 0
        assert gateway.answer(identifier)["result"]["isError"] is False
    assert ran(standin) == [SEND]
    (answered,) = told(home, "answer")
    assert answered.message.startswith("approved by a person (terminal, ")


def test_whoever_does_not_say_yes_has_not_approved(quick: Home, standin: Standin) -> None:
    with Gateway(quick, standin.url, policy=policy()) as gateway:
        gateway.initialize()
        number = required(gateway.call(SEND, {**MAIL, "body": "line\n" * 100 + "the end"}))
        with Terminal(quick, "approvals", "approve", number) as terminal:
            assert "left out here" in terminal.wait_for("show the whole of it > ")
            terminal.type("w\n")
            whole = terminal.wait_for("show the whole of it > ")
            assert whole.count("| line") == 100
            assert "left out here" not in whole
            terminal.type("\n")
            terminal.wait_for("not approved: the question stays open")
            assert terminal.end() == 1
        assert pending(quick)[0].question.id == number
        assert (
            f"\nnext: `keyid-gateway approvals approve {number}` asks you about it; "
            in piped(quick, "show", number).stdout
        )
    assert ran(standin) == []


@pytest.mark.parametrize("verb", ["approve", "deny"])
@pytest.mark.parametrize("given", ["", "y\n"])
def test_nobody_answers_without_a_terminal(quick: Home, standin: Standin, verb: str, given: str) -> None:
    with Gateway(quick, standin.url, policy=policy()) as gateway:
        gateway.initialize()
        number = required(gateway.call(SEND, MAIL))
        done = piped(quick, verb, number, *(["--yes"] if verb == "approve" else []), given=given)
        assert done.returncode == 2
        said = f"`keyid-gateway approvals {verb}` is for a person: standard input is no terminal"
        assert done.stderr == f"error: {said}\nhint: a person types it into a terminal window; an agent asks them to\n"
        assert piped(quick, "pin", "set", given="1234\n1234\n").returncode == 2
        assert pending(quick)[0].question.id == number
        assert required(gateway.call(SEND, MAIL)) == number


def test_a_denial_says_why_and_for_how_long(quick: Home, standin: Standin) -> None:
    with Gateway(quick, standin.url, policy=policy()) as gateway:
        gateway.initialize()
        number = required(gateway.call(SEND, MAIL))
        with Terminal(quick, "approvals", "deny", number, "--reason", "Ask me tonight.", "--for", "2h") as terminal:
            terminal.wait_for(f"denied: question {number}; the same call stays denied until ")
            assert terminal.end() == 0
        said = text(gateway.call(SEND, MAIL))
        assert said.startswith("[POLICY DENIED] A person has denied this call: Ask me tonight. The same call stays ")
    with reading(quick.state) as tx:
        (standing,) = tx.approvals.named(number)
    assert standing.answered_at is not None
    assert standing.question.expires_at == pytest.approx(standing.answered_at + 7200)


def test_what_is_over_is_said_to_be_and_how(quick: Home, standin: Standin) -> None:
    with Gateway(quick, standin.url, policy=policy()) as gateway:
        gateway.initialize()
        number = required(gateway.call(SEND, MAIL))
        answer(quick, "approve", number)
        assert gateway.call(SEND, MAIL)["isError"] is False
    with Terminal(quick, "approvals", "approve", number) as terminal:
        assert terminal.end() == 1
        assert f"error: question `{number}` was approved at " in terminal.shown
        assert "(test), and the call was made\n" in terminal.shown
    with Terminal(quick, "approvals", "approve", "zzzzz") as terminal:
        assert terminal.end() == 2
        assert "error: no question has the id `zzzzz`\n" in terminal.shown


def test_the_list_and_one_question_as_data(quick: Home, standin: Standin) -> None:
    with Gateway(quick, standin.url, policy=policy()) as gateway:
        gateway.initialize()
        assert piped(quick).stdout == "no call waits for a person\n"
        number = required(gateway.call(SEND, MAIL))
        (listed,) = json.loads(piped(quick, "list", "--json").stdout)["questions"]
        assert (listed["id"], listed["tool"], listed["arguments"], listed["status"]) == (number, SEND, MAIL, "pending")
        assert listed["client"] == {"name": "test-client", "version": "1.2.3"}
        assert json.loads(piped(quick, "show", number, "--json").stdout) == listed
        assert f"\n{number}  {SEND}  " in piped(quick).stdout


def test_the_whole_story_of_an_approved_call_is_told(quick: Home, standin: Standin) -> None:
    with Gateway(quick, standin.url, policy=policy()) as gateway:
        gateway.initialize()
        refused = gateway.call(SEND, MAIL)
        number = required(refused)
        answer(quick, "approve", number)
        assert gateway.call(SEND, MAIL)["isError"] is False
        required(gateway.call(SEND, OTHER))
    first = decision(refused)["decision_id"]
    second = told(quick, "decided")[0].decision_id
    for identifier in (first, second, number):
        with Terminal(quick, "audit", "show", identifier, "--json") as terminal:
            assert terminal.end() == 0
            kept = [(record["kind"], record["decision_id"]) for record in json.loads(terminal.shown)["records"]]
        assert kept == [
            ("question", number),
            ("refused", first),
            ("answer", number),
            ("decided", second),
            ("settled", second),
        ]
    with Terminal(quick, "audit", "stats", "--json") as terminal:
        assert terminal.end() == 0
        assert json.loads(terminal.shown)["calls"] == 3


def test_the_live_view_rings_shows_and_takes_answers(home: Home, standin: Standin) -> None:
    with (
        Gateway(home, standin.url, policy=policy()) as gateway,
        Terminal(home, "approvals") as terminal,
    ):
        gateway.initialize()
        terminal.wait_for("calls that wait for a person appear here")
        first = begun(gateway)
        number = pending(home)[0].question.id
        assert "\a" in terminal.wait_for("q: end > ")
        assert f"question {number}, asked at" in terminal.shown
        terminal.type("y\n")
        terminal.wait_for(f"approved: question {number}")
        assert gateway.answer(first)["result"]["isError"] is False
        second = begun(gateway, OTHER)
        terminal.wait_for('  to  "eve@example.com"')
        terminal.wait_for("q: end > ")
        terminal.type("n\n")
        assert gateway.answer(second)["result"]["isError"] is True
        terminal.wait_for("denied: question ")
        terminal.type("q\n")
        assert terminal.end() == 0
    assert ran(standin) == [SEND]


def test_a_call_that_waits_comes_before_questions_that_nobody_waits_for(home: Home, standin: Standin) -> None:
    home.environment["KEYID_GATEWAY_APPROVAL_WAIT"] = "0"
    with Gateway(home, standin.url, policy=policy()) as gateway:
        gateway.initialize()
        required(gateway.call(SEND, MAIL))
    del home.environment["KEYID_GATEWAY_APPROVAL_WAIT"]
    with Gateway(home, standin.url, policy=policy()) as gateway:
        gateway.initialize()
        held = begun(gateway, OTHER)
        pending(home, 2)
        with Terminal(home, "approvals") as terminal:
            terminal.wait_for("; its call waits now; 1 more question after this")
            terminal.wait_for('  to  "eve@example.com"')
            terminal.wait_for("q: end > ")
            terminal.type("y\n")
            terminal.wait_for("the call that waits goes on now")
            assert gateway.answer(held)["result"]["isError"] is False
            terminal.wait_for('  to  "ann@example.com"')
            terminal.wait_for("q: end > ")
            terminal.type("q\n")
            assert terminal.end() == 0
    assert ran(standin) == [SEND]


def test_who_takes_a_call_back_gets_no_answer_for_the_next_one(home: Home, standin: Standin) -> None:
    with (
        Gateway(home, standin.url, policy=policy()) as gateway,
        Terminal(home, "approvals") as terminal,
    ):
        gateway.initialize()
        bait = begun(gateway)
        terminal.wait_for("q: end > ")
        gateway.notify("notifications/cancelled", {"requestId": bait})
        begun(gateway, OTHER)
        terminal.wait_for("is settled: answered elsewhere, taken back, or too old")
        terminal.type("y\n")
        terminal.wait_for('  to  "eve@example.com"')
        terminal.wait_for("q: end > ")
        assert [each.status for each in pending(home)] == ["pending"]
    assert ran(standin) == []


def test_an_answer_to_a_call_that_died_is_for_the_next_one(home: Home, standin: Standin) -> None:
    with Gateway(home, standin.url, policy=policy()) as gateway:
        gateway.initialize()
        begun(gateway)
        number = pending(home)[0].question.id
        gateway.process.kill()
        gateway.process.wait()
    with Terminal(home, "approvals", "approve", number, "--yes") as terminal:
        terminal.wait_for("goes on now; if it is gone, the same call passes once, before ")
        assert terminal.end() == 0
    home.environment["KEYID_GATEWAY_APPROVAL_WAIT"] = "0"
    with Gateway(home, standin.url, policy=policy()) as gateway:
        gateway.initialize()
        assert gateway.call(SEND, MAIL)["isError"] is False
        required(gateway.call(SEND, MAIL))
    assert ran(standin) == [SEND]


def test_a_pin_is_asked_for_with_every_answer(quick: Home, standin: Standin) -> None:
    set_pin(quick, "2468")
    with Gateway(quick, standin.url, policy=policy()) as gateway:
        gateway.initialize()
        number = required(gateway.call(SEND, MAIL))
        with Terminal(quick, "approvals", "approve", number, "--yes") as terminal:
            terminal.wait_for("PIN: ")
            terminal.type("1357\n")
            terminal.wait_for("error: that is not the PIN")
            terminal.wait_for("hint: nothing was changed; type the command once more to try again")
            assert terminal.end() == 1
        assert changed(quick, lambda tx: tx.approvals.named(number)[0].status) == "pending"
        with Terminal(quick, "approvals", "approve", number, "--yes") as terminal:
            terminal.wait_for("PIN: ")
            terminal.type("2468\n")
            terminal.wait_for("approved: question")
            assert terminal.end() == 0
        assert gateway.call(SEND, MAIL)["isError"] is False
    assert ran(standin) == [SEND]
    assert b"2468" not in quick.state.read_bytes()
    assert [record.method for record in told(quick, "owner")] == ["approvals/pin set"]


def test_a_pin_that_was_forgotten_goes_as_the_readme_says(quick: Home, standin: Standin) -> None:
    set_pin(quick, "2468")
    (statement,) = re.findall(r'`sqlite3 STATE_FILE "(.+?)"`', (ROOT / "README.md").read_text("utf-8"))
    with Gateway(quick, standin.url, policy=policy()) as gateway:
        gateway.initialize()
        number = required(gateway.call(SEND, MAIL))
        with closing(sqlite3.connect(quick.state, isolation_level=None)) as database:
            database.execute(statement)
        with Terminal(quick, "approvals", "approve", number, "--yes") as terminal:
            terminal.wait_for("approved: question")
            assert terminal.end() == 0
        assert gateway.call(SEND, MAIL)["isError"] is False
    assert ran(standin) == [SEND]


def test_nothing_but_the_pin_approves_once_there_is_one(quick: Home, standin: Standin) -> None:
    set_pin(quick, "2468")
    with Gateway(quick, standin.url, policy=policy()) as gateway:
        gateway.initialize()
        number = required(gateway.call(SEND, MAIL))
        with pytest.raises(AssertionError, match="is not open"):
            answer(quick, "approve", number)
        assert required(gateway.call(SEND, MAIL)) == number
    with Terminal(quick, "approvals", "pin", "remove") as terminal:
        terminal.wait_for("PIN: ")
        terminal.type("1111\n")
        assert terminal.end() == 1
    with Terminal(quick, "approvals", "pin", "remove") as terminal:
        terminal.wait_for("PIN: ")
        terminal.type("2468\n")
        terminal.wait_for("no PIN is asked for any more")
        assert terminal.end() == 0
    answer(quick, "approve", number)
