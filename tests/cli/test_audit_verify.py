"""`audit head`, `audit key`, `audit verify`: what to keep elsewhere, and what it finds."""

import json
import sqlite3
from pathlib import Path

import pytest

from gateway.cli.commands.audit import head as head_command
from gateway.cli.commands.audit import verify as verify_command
from tests.cli.conftest import Home, Run, refused, relayed
from tests.cli.test_audit import _utc

SOME = [*relayed("d1", "get_identity"), refused("d2", "delete_file")]
NEXT = "next: only a head kept elsewhere tells whether all of it was written anew: `keyid-gateway audit head`\n"


@pytest.fixture(autouse=True)
def _in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (head_command, verify_command):
        monkeypatch.setattr(module, "local", _utc)


def damage(home: Home, statement: str) -> None:
    with sqlite3.connect(home.state, isolation_level=None) as connection:
        connection.execute(statement)
    connection.close()


def kept(run: Run, home: Home) -> Path:
    file = home.folder / "heads.jsonl"
    with file.open("a", encoding="utf-8") as stream:
        stream.write(run("audit", "head", "--json").out)
    return file


def test_a_log_that_is_whole(run: Run, home: Home) -> None:
    home.remember(SOME)
    ran = run("audit", "verify")
    assert (ran.code, ran.out, ran.err) == (0, f"the audit log is what was written: 3 records, 1 to 3\n{NEXT}", "")


@pytest.mark.parametrize("words", [("verify",), ("verify", "--json"), ("verify", "--head", "ab" * 32), ("head",)])
@pytest.mark.parametrize("named", [True, False])
def test_without_a_state_file_nothing_is_verified(run: Run, home: Home, words: tuple[str, ...], named: bool) -> None:
    path = home.folder / "mistyped.db" if named else home.state
    ran = run("audit", *words, *(("--state", str(path)) if named else ()))
    assert (ran.code, ran.out) == (5, "")
    assert ran.err == (
        f"error: there is no state file yet (`{path}`)\n"
        "hint: check `--state`; a gateway makes the file when it first judges a call (`keyid-gateway demo` shows how)\n"
    )


def test_a_gateway_that_has_judged_nothing(run: Run, home: Home) -> None:
    home.remember()
    ran = run("audit", "verify")
    assert (ran.code, ran.out, ran.err) == (0, "the audit log is empty: no call has been judged yet\n", "")


def test_a_record_that_was_changed(run: Run, home: Home) -> None:
    home.remember(SOME)
    damage(home, "UPDATE audit SET effect = 'allow' WHERE seq = 3")
    ran = run("audit", "verify")
    assert (ran.code, ran.out) == (
        1,
        (
            "the audit log is not what was written: record 3 was changed\n"
            "that means: a field, its place or its hash is not as it was written\n"
            "records 1 to 2 are as they were written; of what follows nothing is certain\n"
            f"next: keep a copy of `{home.state}` (and `-wal` beside it) as it is; "
            "then move it away to start a fresh one\n"
        ),
    )
    found = json.loads(run("audit", "verify", "--json").out)
    assert found | {"hash": ""} == {
        "ok": False,
        "records": 2,
        "first": 1,
        "last": 2,
        "adopted": 0,
        "hash": "",
        "broken": {
            "seq": 3,
            "what": "record 3 was changed",
            "means": "a field, its place or its hash is not as it was written",
        },
        "heads": [],
    }


def test_what_to_keep_elsewhere(run: Run, home: Home) -> None:
    home.remember(SOME)
    ran = run("audit", "head")
    assert (ran.code, ran.err) == (0, "")
    record, digest, taken, signed, following = ran.out.splitlines()
    assert record == "record   3"
    assert len(digest) == len("hash     ") + 64
    assert taken.startswith("taken    20")
    assert taken.endswith(" UTC")
    assert signed == "signed   no (`keyid-gateway audit key` makes a key)"
    assert following == (
        "next: keep it where nobody on this machine can change it; `keyid-gateway audit verify --head HASH` compares"
    )


def test_heads_that_were_kept_are_compared(run: Run, home: Home) -> None:
    file = home.folder / "heads.jsonl"
    for number in range(3):
        home.remember(relayed(f"d{number}", "get_identity"))
        assert kept(run, home) == file
    digest = json.loads(file.read_text(encoding="utf-8").splitlines()[0])["hash"]
    ran = run("audit", "verify", "--head", str(file), "--head", digest)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0] == "the audit log is what was written: 6 records, 1 to 6"
    assert [line.partition(": ")[2] for line in lines[1:4]] == [f"record {seq} has this hash" for seq in (2, 4, 6)]
    assert lines[4:] == [f"head {digest[:16]}…: record 2 has this hash"]


def test_a_log_that_was_begun_anew_is_found_by_its_head(run: Run, home: Home) -> None:
    home.remember(SOME)
    file = kept(run, home)
    for part in home.folder.glob("state.db*"):
        part.unlink()
    home.remember(SOME)
    ran = run("audit", "verify", "--head", str(file))
    assert ran.code == 1
    assert ran.out.splitlines()[1].startswith("HEAD DIFFERS ")
    assert ran.out.splitlines()[1].endswith(": it is a head of another state file")


def test_a_head_is_signed_once_there_is_a_key(run: Run, home: Home) -> None:
    home.remember(SOME)
    made = run("audit", "key")
    place = home.policy.parent / "audit-key.pem"
    assert (made.code, made.err) == (0, f"made `{place}`\n")
    assert place.stat().st_mode & 0o777 == 0o600
    again = json.loads(run("audit", "key", "--json").out)
    assert again == {"public_key": made.out.strip(), "file": str(place), "made": False}
    assert f"signed   by {made.out.strip()}\n" in run("audit", "head").out
    file = kept(run, home)
    for words in ((), ("--public-key", made.out.strip())):
        found = json.loads(run("audit", "verify", "--head", str(file), "--json", *words).out)
        assert [(head["same"], head["signed"], head["signature"]) for head in found["heads"]] == [(True, True, "good")]
        (said,) = [line for line in run("audit", "verify", "--head", str(file), *words).out.splitlines()[1:] if line]
        head = json.loads(file.read_text(encoding="utf-8"))
        assert said.startswith(f"head {head['hash'][:16]}… of 20")
        assert said.endswith(f" UTC: record 3 has this hash, signed by `{made.out.strip()}`")


ANOTHER = "HEAD OF ANOTHER KEY", "of another key", "it names the key `{key}` as its signer's"
WRONG = "HEAD NOT GENUINE", "wrong", "its signature is of something else: the head was changed after it was signed"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("time", WRONG),
        ("signature", WRONG),
        ("unnamed", WRONG),
        ("unsigned", ("HEAD NOT SIGNED", "missing", "it has no signature: anybody may have written it")),
        ("another key", ANOTHER),
    ],
)
def test_a_head_that_somebody_else_made(run: Run, home: Home, change: str, words: tuple[str, str, str]) -> None:
    home.remember(SOME)
    public = run("audit", "key").out.strip()
    head = json.loads(run("audit", "head", "--json").out)
    if change == "time":
        head["at"] = 1_700_000_000
    elif change == "signature":
        head["signature"] = "AAAA"
    elif change == "unnamed":
        head |= {"signature": "AAAA", "key": ""}
    elif change == "unsigned":
        head["signature"] = head["key"] = ""
    else:
        (home.policy.parent / "audit-key.pem").unlink()
        public = run("audit", "key").out.strip()
    file = home.folder / "head.json"
    file.write_text(json.dumps(head), encoding="utf-8")
    given = ("audit", "verify", "--head", str(file), "--public-key", public)
    ran = run(*given)
    label, signature, fault = words
    whole, said = ran.out.splitlines()
    assert (ran.code, whole) == (1, "the audit log is what was written: 3 records, 1 to 3")
    assert said.startswith(f"{label} {head['hash'][:16]}… of 20")
    assert said.endswith(f" UTC: record 3 has this hash; {fault.format(key=head['key'])}")
    found = json.loads(run(*given, "--json").out)
    assert (found["ok"], found["heads"][0]["same"], found["heads"][0]["signed"]) == (False, True, False)
    assert found["heads"][0]["signature"] == signature


def test_a_head_of_another_log_that_nobody_signed_says_both(run: Run, home: Home) -> None:
    home.remember(SOME)
    public = run("audit", "key").out.strip()
    ran = run("audit", "verify", "--head", "ab" * 32, "--public-key", public)
    assert ran.code == 1
    assert ran.out.splitlines()[1] == (
        "HEAD DIFFERS abababababababab…: no record has this hash: the log was rewritten, cut off, or pruned beyond it; "
        "it has no signature: anybody may have written it"
    )


def test_a_key_that_others_can_read_is_not_used(run: Run, home: Home) -> None:
    home.remember(SOME)
    run("audit", "key")
    place = home.policy.parent / "audit-key.pem"
    place.chmod(0o644)
    ran = run("audit", "head")
    assert (ran.code, ran.out, ran.err) == (
        3,
        "",
        f"error: the key `{place}` can be read by others\nhint: make a new one, or: `chmod 600 {place}`\n",
    )
    place.chmod(0o600)
    place.write_text("no key", encoding="utf-8")
    assert run("audit", "head").err == (
        f"error: `{place}` is no Ed25519 key without a password\nhint: `keyid-gateway audit key` makes one\n"
    )


@pytest.mark.parametrize("text", ["", "{}", "[1]", "ab", '{"seq": true, "hash": "x", "at": 1}', "\n\n"])
def test_what_is_no_head(run: Run, home: Home, text: str) -> None:
    home.remember(SOME)
    file = home.folder / "head"
    file.write_text(text, encoding="utf-8")
    ran = run("audit", "verify", "--head", str(file))
    line = ", line 1: this is no head" if text.strip() else " holds no head"
    assert (ran.code, ran.out, ran.err) == (
        3,
        "",
        (
            f"error: `{file}`{line}\n"
            "hint: a head is what `keyid-gateway audit head --json` prints, or the 64 hexadecimal digits of its hash\n"
        ),
    )


def test_a_head_that_is_not_there(run: Run, home: Home) -> None:
    home.remember(SOME)
    ran = run("audit", "verify", "--head", str(home.folder / "nowhere"))
    assert (ran.code, ran.err.splitlines()[0]) == (
        3,
        f"error: `{home.folder / 'nowhere'}` cannot be read: no such file or directory",
    )
    ran = run("audit", "verify", "--public-key", "AAAA")
    assert (ran.code, ran.err) == (
        2,
        "error: `--public-key` is about heads, and there is none\nhint: give one with `--head`\n",
    )
    ran = run("audit", "verify", "--public-key", "AAAA", "--head", "ab" * 32)
    assert (ran.code, ran.err) == (
        3,
        "error: `AAAA` is no public key\nhint: `keyid-gateway audit key` prints one\n",
    )
