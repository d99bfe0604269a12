"""What `doctor` finds: faults are planted, and it has to name each of them with its cure."""

import json
import os
import shutil
import socket
import sqlite3
import ssl
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from gateway.cli.checkup import storage
from gateway.cli.checkup.examination import Check, Examined, examine
from gateway.cli.checkup.finding import Finding, ok
from gateway.clock import SystemClock
from gateway.credentials.records import Record as SignIn
from gateway.credentials.records import Records, Secret
from gateway.settings import load
from gateway.standin import Standin, StandinOptions
from gateway.state import EVERYONE, Halt
from tests.cli.conftest import SERVER, TOKEN, Home, Run, record
from tests.cli.test_status import QUESTION, work
from tests.e2e.scripted import Scripted, http

ROOT = Path(__file__).parents[2]
POLICY = '{"version": "1", "default": "deny", "tools": {"get_identity": {}}}'


@dataclass(frozen=True)
class Found:
    """What a run of `doctor` said."""

    code: int
    checks: Sequence[Mapping[str, Any]]

    def level(self, about: str, words: str) -> str:
        """The level of the one line about that with these words."""
        (found,) = [each for each in self.checks if each["about"] == about and words in each["says"]]
        return str(found["level"])

    def cure(self, about: str, words: str) -> str:
        """What to do about the one failed line with these words."""
        (found,) = [
            each for each in self.checks if each["about"] == about and words in each["says"] and each["level"] != "ok"
        ]
        return f"{found['level']}: {found['do']}"

    def failures(self) -> list[str]:
        return [f"{each['about']}: {each['says']}" for each in self.checks if each["level"] == "failed"]


@pytest.fixture
def doctor(run: Run, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs `doctor` in a home folder of its own, where no client is."""
    folder = tmp_path / "person"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    for name in ("XDG_CONFIG_HOME", "APPDATA", "LOCALAPPDATA", "CLAUDE_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(ROOT)
    assert home.folder == tmp_path

    def call(*words: str) -> Found:
        ran = run("doctor", "--json", *words)
        assert ran.err == ""
        document = json.loads(ran.out)
        assert document["ok"] == (ran.code == 0)
        return Found(ran.code, document["checks"])

    return call


@pytest.fixture
def healthy(home: Home, standin: Standin, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home where all is as it should be: a server that lets us in, a policy, a state."""
    monkeypatch.setenv("KEYID_GATEWAY_UPSTREAM", standin.url)
    monkeypatch.setenv("SESAME", f"Bearer {TOKEN}")
    monkeypatch.setenv("KEYID_GATEWAY_HEADER", "Authorization: env:SESAME")
    home.write_policy(POLICY)
    home.remember([record(at=time.time())])
    return home


def desktop(home: Home, text: str) -> Path:
    """Write the config of Claude Desktop."""
    folder = {"darwin": "Library/Application Support/Claude", "win32": "AppData/Roaming/Claude"}
    file = home.folder / "person" / folder.get(sys.platform, ".config/Claude") / "claude_desktop_config.json"
    file.parent.mkdir(parents=True)
    file.write_text(text, encoding="utf-8")
    return file


def entry(home: Home, upstream: str, *arguments: str, command: str = sys.executable, **env: str) -> str:
    environment = {**home.environment, "KEYID_GATEWAY_UPSTREAM": upstream, "PYTHONPATH": str(ROOT), **env}
    return json.dumps(
        {
            "mcpServers": {
                "keyid": {"command": command, "args": [*arguments, "-m", "gateway", "run"], "env": environment}
            }
        }
    )


def test_where_all_is_well_nothing_fails(doctor: Any, healthy: Home, standin: Standin) -> None:
    desktop(
        healthy, entry(healthy, standin.url, SESAME=f"Bearer {TOKEN}", KEYID_GATEWAY_HEADER="Authorization: env:SESAME")
    )
    found = doctor()
    assert found.failures() == []
    assert found.code == 0
    assert found.level("protocol", "speaks revision 20") == "ok"
    assert found.level("tools", "64 tools mirrored from keyid-standin") == "ok"
    assert found.level("clock", "agrees with the server's") == "ok"
    assert found.level("clock", "has not gone back") == "ok"
    assert found.level("clients", "entry `keyid` of Claude Desktop") == "ok"
    assert [each["facts"]["tools"] for each in found.checks if each["about"] == "clients"] == [64]
    assert found.level("audit log", "newest 1 record") == "ok"
    assert found.level("settings", "header = Authorization: env:SESAME (from KEYID_GATEWAY_HEADER)") == "ok"


@pytest.mark.usefixtures("healthy")
def test_nothing_secret_is_said(run: Run, doctor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYID_GATEWAY_UPSTREAM", os.environ["KEYID_GATEWAY_UPSTREAM"] + "?key=opensesame")
    monkeypatch.setenv("KEYID_GATEWAY_HEADER", f"Authorization: Bearer {TOKEN}")
    monkeypatch.setenv("KEYID_GATEWAY_STATE", str(Path.home() / "state.db"))
    assert doctor().code in (0, 1)
    for words in (["doctor"], ["doctor", "--json"]):
        out = run(*words).out
        assert TOKEN not in out
        assert "opensesame" not in out
        assert str(Path.home()) not in out
        assert "~/state.db" in out
    assert (
        doctor().cure("settings", "stands in the settings themselves").startswith("warning: `Authorization: env:NAME`")
    )


# --- the server -------------------------------------------------------------------------------------------------------


def test_a_server_that_is_down_or_at_another_port(doctor: Any, home: Home) -> None:
    assert home.environment["KEYID_GATEWAY_UPSTREAM"] == SERVER
    found = doctor()
    assert found.code == 1
    assert found.cure("server", "cannot be reached: connection refused") == (
        "failed: is the server running, and are the host and the port of `--upstream` right?"
    )
    assert found.level("protocol", "not reached") == "not checked"


def test_a_name_that_nobody_has(doctor: Any) -> None:
    found = doctor("--upstream", "http://no-such-name.invalid/mcp")
    assert found.cure("server", "`no-such-name.invalid` cannot be resolved").startswith("failed: check `--upstream`")


def test_no_tls_at_a_port_that_speaks_http(doctor: Any, healthy: Home, standin: Standin) -> None:
    assert healthy.state.exists()
    found = doctor("--upstream", standin.url.replace("http:", "https:"))
    assert found.cure("TLS", "no TLS connection") == "failed: does it speak https at this port?"


def test_a_web_page_is_no_mcp_server(doctor: Any) -> None:
    page = http(200, b"<html>hello</html>", "text/html")
    with Scripted() as upstream:
        upstream.script("server/discover", page)
        upstream.script("initialize", page)
        found = doctor("--upstream", upstream.url)
    assert found.cure("protocol", "did not answer as an MCP server does") == (
        "failed: check `--upstream`; most end in `/mcp`"
    )


@contextmanager
def untrusted(folder: Path) -> Iterator[int]:
    """The port of a server whose certificate nobody has signed but itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    built = built.serial_number(1).not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(1))
    built = built.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    file = folder / "certificate.pem"
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(plain + built.sign(key, SHA256()).public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    with socket.create_server(("localhost", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection, suppress(OSError):  # the other side does not want it
                context.wrap_socket(connection, server_side=True).close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(20)


def test_a_certificate_that_this_system_does_not_trust(doctor: Any, home: Home) -> None:
    with untrusted(home.folder) as port:
        found = doctor("--upstream", f"https://localhost:{port}/mcp")
    assert found.cure("TLS", "its certificate is not trusted: self") == (
        "failed: have its authority trusted by this system, or check `--upstream`"
    )
    assert found.level("protocol", "not reached") == "not checked"


def test_a_server_that_wants_a_sign_in(doctor: Any, standin: Standin) -> None:
    found = doctor("--upstream", standin.url)
    assert found.cure("protocol", "answered HTTP 401: it wants a sign-in").startswith(
        "failed: run `keyid-gateway login "
    )


def test_a_sign_in_that_has_ended_and_cannot_be_renewed(doctor: Any, standin: Standin) -> None:
    client = load({"upstream": [standin.url]}, os.environ).oauth
    assert client is not None
    now = time.time()
    ended = SignIn(
        standin.url, "https://issuer.example", "id", None, now - 7200, now - 3600, {}, None, secret=Secret("old")
    )
    Records(client.folder).write(client.name, ended)
    found = doctor("--upstream", standin.url)
    assert found.cure("sign-in", "ended 1 h ago, and cannot be renewed").startswith("failed: `keyid-gateway login ")


# --- settings and policy ----------------------------------------------------------------------------------------------


def test_a_setting_that_nobody_knows(doctor: Any, home: Home) -> None:
    home.policy.parent.mkdir()
    (home.policy.parent / "settings.toml").write_text('upstraem = "https://keyid.ai/mcp"\n', encoding="utf-8")
    found = doctor()
    assert found.cure("settings", "unknown setting `upstraem`") == "failed: did you mean `upstream`?"
    assert {each["level"] for each in found.checks if each["about"] in ("policy", "server", "state")} == {"not checked"}
    assert found.level("program", "keyid-gateway") == "ok"


def test_a_policy_with_a_mistake(doctor: Any, healthy: Home) -> None:
    healthy.write_policy('{"version": "1", "default": "deny", "tool": {}}')
    cure = doctor().cure("policy", f"every call is refused: {healthy.policy}:1:37: /tool: unknown key `tool`")
    assert cure == "failed: did you mean `tools`? `keyid-gateway policy check` shows all of it"


def test_the_pack_is_for_a_server_with_the_tools_of_keyid(run: Run, doctor: Any, standin: Standin) -> None:
    words = "the built-in pack is in force, which is written for KeyID"
    where = ("--upstream", standin.url, "--header", f"Authorization: Bearer {TOKEN}")
    assert doctor(*where).cure("policy", words).startswith("warning: `keyid-gateway policy init --live FILE`")
    assert run("tools", *where).code == 0  # from now on it is known which tools it has
    found = doctor(*where)
    assert not [each for each in found.checks if words in each["says"]]


def test_a_secret_that_is_not_in_its_place(doctor: Any, home: Home) -> None:
    nowhere = home.folder / "nowhere"
    assert doctor("--header", f"Authorization: file:{nowhere}").cure("settings", f"`{nowhere}` cannot be read") == (
        "failed: it has to be there when the gateway starts; or name another place: `env:VARIABLE`, `file:PATH`, "
        "`keyring:SERVICE/NAME`"
    )


def test_credentials_that_the_server_refuses(doctor: Any, standin: Standin) -> None:
    found = doctor("--upstream", standin.url, "--header", "Authorization: Bearer old")
    assert found.cure("protocol", "it wants other credentials").startswith(
        "failed: what `Authorization` says is wrong or expired: renew it where it is kept"
    )


def test_a_grant_whose_policy_is_not_given_any_more(doctor: Any, healthy: Home) -> None:
    used = healthy.folder / "mine.json"
    used.write_text(POLICY, encoding="utf-8")
    healthy.policy.unlink()
    healthy.remember(policy_of_me=str(used))
    assert doctor().cure("policy", "`run` refuses every call: grant `me` was judged by").startswith("failed: give it")


# --- the state --------------------------------------------------------------------------------------------------------


def test_a_state_file_that_is_read_only(doctor: Any, healthy: Home) -> None:
    healthy.state.chmod(0o400)
    assert doctor().cure("state", "read-only: every call is refused").startswith("failed: `chmod u+w ")


def test_a_state_file_that_holds_what_the_gateway_never_writes(doctor: Any, healthy: Home) -> None:
    with closing(sqlite3.connect(healthy.state)) as connection, connection:
        connection.execute("INSERT INTO covers VALUES ('x', 'soon')")
    said = "the state file is damaged: `expires_at` of `covers` holds what the gateway never writes"
    assert doctor().cure("state", said).startswith("failed: move the file away to start with a fresh one")


def test_a_state_of_a_newer_version(doctor: Any, healthy: Home) -> None:
    with sqlite3.connect(healthy.state) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    found = doctor()
    assert found.cure("state", "has version 99, newer than this program knows").startswith(
        "failed: upgrade this program"
    )
    assert found.level("switch", "cannot be read") == "not checked"


def test_a_log_whose_end_was_cut_off(doctor: Any, healthy: Home) -> None:
    healthy.remember([record(at=time.time(), decision_id=f"d{number}") for number in range(5)])
    with sqlite3.connect(healthy.state) as connection:
        connection.execute("DELETE FROM audit WHERE seq > 4")
    connection.close()
    cure = doctor().cure("audit log", "records 5 to 6 are missing: the end of the log was cut off")
    assert cure.startswith("failed: `keyid-gateway audit verify` says more")


def test_a_file_that_is_no_state_file(doctor: Any, home: Home) -> None:
    home.state.write_bytes(b"not a database, and long enough to be taken for one" * 100)
    assert doctor().cure("state", "is not a state file") == "failed: choose another path, or move that file away"


def test_a_state_file_that_somebody_holds(doctor: Any, healthy: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "_LOCK_SECONDS", 0.0)
    holder = sqlite3.connect(healthy.state, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    found = doctor()
    holder.close()
    assert (
        found.cure("state", "is locked by another process") == "failed: see which program holds it open, and try again"
    )


def test_a_full_disk(doctor: Any, healthy: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    full = shutil.disk_usage(healthy.folder)._replace(free=3 * 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    assert doctor().cure("disk", "the disk is full: 3 MiB are free") == (
        "failed: free some space on that disk: a call that cannot be recorded is refused"
    )


def test_a_clock_that_was_set_back(doctor: Any, healthy: Home) -> None:
    healthy.remember([record(at=time.time() + 7200)])
    assert doctor().cure("clock", "the clock was set back: the newest record is of").startswith("failed: set the clock")


def test_a_stop(doctor: Any, healthy: Home) -> None:
    work(healthy, Halt(EVERYONE, time.time(), "kim", "it went mad"))
    found = doctor()
    assert found.code == 1
    assert found.cure("switch", "(it went mad)") == "failed: `keyid-gateway resume`, in a terminal"


def test_what_waits_for_a_person_and_whether_a_pin_is_set(doctor: Any, healthy: Home) -> None:
    work(healthy, replace(QUESTION, expires_at=time.time() + 600))
    found = doctor()
    assert found.code == 0
    assert found.cure("approvals", "1 call waits for a person") == "warning: `keyid-gateway approvals`"
    assert found.level("approvals", "no PIN is set") == "ok"


def test_what_was_pinned_and_what_is_not_compared(doctor: Any, healthy: Home) -> None:
    assert healthy.state.exists()
    assert doctor().level("pins", "0 tools pinned (`warn`)") == "ok"
    assert doctor("--pins", "off").cure("pins", "are not compared").startswith("warning: take `pins` out of")


# --- the clients ------------------------------------------------------------------------------------------------------


def test_an_entry_whose_interpreter_is_gone(doctor: Any, healthy: Home, standin: Standin) -> None:
    desktop(healthy, entry(healthy, standin.url, command="/no/such/place/keyid-gateway"))
    cure = doctor().cure("clients", "cannot start: `/no/such/place/keyid-gateway`: no such file or directory")
    assert cure == "failed: `keyid-gateway install claude-desktop` writes the entry anew"


def test_an_entry_whose_settings_make_no_sense(doctor: Any, healthy: Home, standin: Standin) -> None:
    desktop(healthy, entry(healthy, standin.url, KEYID_GATEWAY_CALL_TIMEOUT="soon"))
    assert doctor().cure("clients", "ended with code 3: error: KEYID_GATEWAY_CALL_TIMEOUT").startswith("failed: ")


def test_an_entry_starts_nothing_of_the_project_that_one_is_in(
    doctor: Any, healthy: Home, standin: Standin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`python -m gateway` takes the `gateway` of the folder it is started in before any other."""
    desktop(healthy, entry(healthy, standin.url))
    project = tmp_path / "project"
    (project / "gateway").mkdir(parents=True)
    taken = "import pathlib; pathlib.Path(__file__).with_name('started').touch()"
    for name in ("__init__.py", "__main__.py"):
        (project / "gateway" / name).write_text(taken, encoding="utf-8")
    monkeypatch.chdir(project)
    doctor()
    assert not (project / "gateway" / "started").exists()


def test_an_entry_whose_server_is_down(doctor: Any, healthy: Home) -> None:
    desktop(healthy, entry(healthy, SERVER))
    cure = doctor().cure("clients", "starts, and then: cannot connect to the upstream: connection refused")
    assert cure == f"failed: `keyid-gateway doctor --upstream {SERVER}` looks at its server"


def test_an_entry_whose_server_is_the_one_that_is_down(
    doctor: Any, healthy: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    desktop(healthy, entry(healthy, SERVER))
    monkeypatch.setenv("KEYID_GATEWAY_UPSTREAM", SERVER)
    cure = doctor().cure("clients", "starts, and then: cannot connect to the upstream: connection refused")
    assert cure == "failed: see what is said of the server above"


def test_an_entry_of_another_name_is_mended_under_its_name(doctor: Any, healthy: Home, standin: Standin) -> None:
    desktop(healthy, entry(healthy, standin.url, command="/no/such/gateway").replace('"keyid"', '"my mail"'))
    cure = doctor().cure("clients", "cannot start: `/no/such/gateway`")
    assert cure == "failed: `keyid-gateway install claude-desktop --name 'my mail'` writes the entry anew"


def test_an_entry_of_a_profile_that_is_gone(doctor: Any, healthy: Home, standin: Standin) -> None:
    desktop(healthy, entry(healthy, standin.url).replace('"run"', '"run", "--profile", "mial"'))
    cure = doctor().cure("clients", "ended with code 2: error: --profile: there is no profile `mial`")
    assert cure == "failed: there is `keyid`; `keyid-gateway profiles add` makes another"


def test_an_entry_whose_state_file_is_none(doctor: Any, healthy: Home, standin: Standin) -> None:
    healthy.policy.unlink()  # without one it has to be looked up which policy the grant had
    odd = healthy.folder / "odd.db"
    odd.write_bytes(b"this is no database at all" * 100)
    let_in = {"SESAME": f"Bearer {TOKEN}", "KEYID_GATEWAY_HEADER": "Authorization: env:SESAME"}
    desktop(healthy, entry(healthy, standin.url, KEYID_GATEWAY_STATE=str(odd), **let_in))
    found = doctor().cure("clients", f"starts, and then: the state file `{odd}` is not a state file")
    assert found == "failed: choose another path, or move that file away"


def test_an_entry_that_leads_to_another_server(doctor: Any, healthy: Home, standin: Standin) -> None:
    with Standin(StandinOptions(), clock=SystemClock()) as other:
        text = entry(healthy, standin.url).replace('"run"', f'"run", "--upstream", "{other.url}"')
        desktop(healthy, text)
        found = doctor()
    assert found.level("clients", f"lists 64 tools; `keyid-gateway doctor --upstream {other.url}` looks at its") == "ok"


def test_a_config_that_is_broken(doctor: Any, healthy: Home) -> None:
    desktop(healthy, '{"mcpServers": {"keyid": ')
    found = doctor()
    assert found.cure("clients", "the config of Claude Desktop cannot be read: line 1").startswith("failed: mend it")
    assert len([each for each in found.checks if each["about"] == "clients"]) == 1


def test_an_entry_that_leads_past_the_gateway(doctor: Any, healthy: Home, standin: Standin) -> None:
    desktop(healthy, json.dumps({"mcpServers": {"direct": {"type": "http", "url": standin.url}}}))
    found = doctor()
    assert found.cure("clients", "entry `direct` of Claude Desktop leads to the server past the gateway") == (
        "warning: `keyid-gateway install claude-desktop --wrap direct` puts the gateway there"
    )


def test_a_name_in_a_clients_file_is_no_part_of_a_command(doctor: Any, healthy: Home, standin: Standin) -> None:
    """A person copies what is said: a shell must not read more in it."""
    desktop(healthy, json.dumps({"mcpServers": {"x\x1b[2J`id`$(id)": {"type": "http", "url": standin.url}}}))
    said = doctor().cure("clients", "leads to the server past the gateway")
    command = "keyid-gateway install claude-desktop --wrap $'x\\x1b[2J`id`$(id)'"
    assert said == f"warning: `{command}` puts the gateway there"


# --- who else ---------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="modes say nothing there")
def test_files_that_others_may_write(doctor: Any, healthy: Home) -> None:
    healthy.policy.chmod(0o666)
    assert doctor().cure("boundary", "others may write the policy").startswith("warning: `chmod go-w ")


# --- the frame --------------------------------------------------------------------------------------------------------


def _examined() -> Examined:
    settings = load({}, os.environ)
    return Examined({}, os.environ, Path.home(), SystemClock(), None, settings, None)


@pytest.mark.usefixtures("home")
def test_a_check_that_breaks_and_one_that_hangs_take_no_other_down() -> None:
    release = threading.Event()

    def breaks(_: Examined) -> Iterator[Finding]:
        yield ok("first", "as far as it came")
        raise ZeroDivisionError

    def hangs(_: Examined) -> Iterator[Finding]:
        release.wait()
        yield ok("second", "too late")

    def works(_: Examined) -> Iterator[Finding]:
        yield ok("third", "fine")

    checks = (Check("first", breaks), Check("second", hangs, seconds=0.01), Check("third", works))
    found = [(each.about, each.level) for each in examine(checks, _examined())]
    release.set()
    assert found == [("first", "ok"), ("first", "not checked"), ("second", "not checked"), ("third", "ok")]


def test_for_people_each_line_has_its_cure(run: Run, doctor: Any) -> None:
    assert doctor().code == 1
    ran = run("doctor")
    assert ran.code == 1
    assert "failed       server     `http://127.0.0.1:1/mcp` cannot be reached: connection refused\n" in ran.out
    assert " " * 24 + "do: is the server running, and are the host and the port of `--upstream` right?\n" in ran.out
    assert ran.out.splitlines()[-1].endswith("not checked")
