"""A person who signs in: a home whose browser is the test's own, the commands, and what is kept afterwards."""

import fcntl
import json
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from gateway.credentials import helper
from gateway.credentials.client import Client
from gateway.credentials.helper import Request
from gateway.standin import Standin
from tests.e2e.process import Home, Json
from tests.warm import Popen, start

ROOT = Path(__file__).parents[2]
BROWSER = Path(__file__).with_name("browser.py")
PATIENCE = 60.0


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


class Person:
    """Somebody at a terminal of this home."""

    def __init__(self, home: Home, standin: Standin) -> None:
        self.home = home
        self.standin = standin
        self._log = home.path / "browser.log"
        home.environment |= {
            "BROWSER": f"{shlex.join([sys.executable, str(BROWSER)])} %s",
            "TEST_BROWSER_LOG": str(self._log),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        }

    def command(self, verb: str) -> str:
        """The command that errors name, for the stand-in and this home."""
        return f"keyid-gateway {verb} --upstream {self.standin.url} --state {self.home.state}"

    def types(self, *words: str, told: str | None = None, upstream: bool = True) -> Done:
        """Run a command against the stand-in (unless the words name their `upstream`), `told` on standard input."""
        process = self.starts(*words, upstream=upstream)
        try:
            out, err = process.communicate(told, timeout=PATIENCE)
        finally:
            process.kill()
            process.wait()
        return Done(process.returncode, out, err)

    def starts(self, *words: str, upstream: bool = True, start_new_session: bool = False) -> "subprocess.Popen[str]":
        """A command that goes on, as a terminal starts it: in a group of its own, where that is asked for."""
        command = [sys.executable, "-m", "gateway", *words, *(("--upstream", self.standin.url) if upstream else ())]
        return start(command, env=self.home.variables(), start_new_session=start_new_session)

    def has_signed_in(self) -> None:
        """What `login` leaves behind, by the helper that it asks."""
        request = Request("sign in", Client(self.standin.url, self.home.path / "credentials"), "browser")
        pipe = subprocess.PIPE
        process: Popen[bytes] = Popen(
            [sys.executable, "-m", "tests.e2e.helped"], env=self.home.variables(), cwd=ROOT, stdin=pipe, stdout=pipe
        )
        with process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(helper._written(request))
            process.stdin.flush()
            *_, last = process.stdout
            assert json.loads(last)["event"] == "granted"

    def signs_in(self, *flags: str) -> Done:
        """`login`, which must succeed."""
        done = self.types("login", *flags)
        assert done.code == 0, done.err
        return done

    @property
    def opened(self) -> list[str]:
        """The addresses that a browser was sent to."""
        return self._log.read_text(encoding="utf-8").splitlines() if self._log.exists() else []

    @property
    def file(self) -> Path:
        """What is kept of the one sign-in there is."""
        (file,) = (self.home.path / "credentials").glob("*.json")
        return file

    @property
    def kept(self) -> Json:
        return json.loads(self.file.read_text(encoding="utf-8"))

    def waits_for_its_turn(self) -> None:
        """Until nobody is at work on what is kept."""
        with self.file.with_suffix(".lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)

    def rewrite(self, **changes: Json) -> None:
        """Change what is kept, as time or another gateway would."""
        fresh = self.file.with_suffix(".fresh")
        fresh.write_text(json.dumps({**self.kept, **changes}), encoding="utf-8")
        fresh.chmod(0o600)
        fresh.replace(self.file)

    def lets_it_expire(self) -> None:
        """The access token has ended, here and at the server; the refresh token has not."""
        self.standin.authority.end_access()
        self.rewrite(expires_at=1.0)

    def said_anywhere(self, *secrets: str) -> list[str]:
        """Which of these stand in a log or in the state file (but not in what is kept of the sign-in)."""
        texts = [file.read_bytes() for file in self.home.path.iterdir() if file.is_file() and file != self._log]
        return [secret for secret in secrets if any(secret.encode() in text for text in texts)]
