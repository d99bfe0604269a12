"""The program asks for nothing that Windows does not have (see `windows_like` for what that shows, and what not)."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from gateway.standin import Standin
from tests.e2e.process import Gateway, Home, decision
from tests.e2e.windows_like import modules

ROOT = Path(__file__).parents[2]
POLICY = {"version": "1", "default": "allow", "hide": ["delete_contact"]}


class Elsewhere(Gateway):
    """A gateway where nothing of POSIX is there."""

    @staticmethod
    def command(upstream: str, *arguments: str, module: Sequence[str] = ("gateway",)) -> list[str]:
        assert tuple(module) == ("gateway",)
        return Gateway.command(upstream, *arguments, module=("tests.e2e.windows_like",))


def test_every_module_is_imported_without_what_windows_lacks() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.e2e.windows_like", "import"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) == len(modules())


def test_calls_are_judged_relayed_and_recorded_and_the_end_is_clean(home: Home, standin: Standin) -> None:
    with Elsewhere(home, standin.url, policy=POLICY) as gateway:
        assert "result" in gateway.initialize()
        assert len(gateway.request("tools/list")["result"]["tools"]) == 63
        assert not gateway.call("get_identity").get("isError")
        assert decision(gateway.call("delete_contact", {"id": "1"}))["rule"] == "(hidden)"
        long = gateway.call("send_email", {"to": "kim@example.com", "subject": "s", "body": "x\r\n" * 300_000})
        assert not long.get("isError")
        assert gateway.close() == 0
    kinds = sorted(record.kind for record in home.records() if record.kind in ("decided", "settled", "refused"))
    assert kinds == ["decided", "decided", "refused", "settled", "settled"]
