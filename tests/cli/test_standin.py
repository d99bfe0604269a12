import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from gateway.standin import Standin
from tests.cli.conftest import Home, Run

ROOT = Path(__file__).parents[2]
PATIENCE = 60


def _start(home: Home, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "gateway", "standin", *words],
        env={**os.environ, **home.environment},
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_it_says_how_to_use_it_and_ends_by_ctrl_c(home: Home) -> None:
    process = _start(home, "--token", "two words")
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(5)]
    url = lines[0].split()[5]
    header = "--header 'Authorization: Bearer two words'"
    assert lines == [
        f"an invented KeyID listens at {url} (Ctrl-C stops it)\n",
        "run the gateway against it, in another terminal or in a client's config:\n",
        f"  keyid-gateway run --upstream {url} {header}\n",
        "or look at it:\n",
        f"  keyid-gateway tools --upstream {url} {header}\n",
    ]
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=PATIENCE) == ("stopped\n", "")
    assert process.returncode == 0


def test_json_and_a_journal(home: Home, run: Run) -> None:
    journal = home.folder / "journal.jsonl"
    process = _start(home, "--json", "--journal", str(journal), "--page-size", "7", "--json-response")
    assert process.stdout is not None
    url = json.loads(process.stdout.readline())["url"]
    assert len(json.loads(run("tools", "--upstream", url, "--json").out)["tools"]) == 64
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=PATIENCE) == ("", "")
    assert process.returncode == 0
    assert '"path":"/mcp"' in journal.read_text(encoding="utf-8")


def test_with_oauth_it_says_how_to_sign_in(home: Home) -> None:
    process = _start(home, "--oauth")
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(5)]
    url = lines[0].split()[5]
    assert lines[1:3] == ["sign in first:\n", f"  keyid-gateway login --upstream {url}\n"]
    assert lines[4] == f"  keyid-gateway run --upstream {url}\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=PATIENCE)[1] == ""


def test_a_port_that_is_taken(run: Run, standin: Standin) -> None:
    port = standin.url.split(":")[2].split("/")[0]
    ran = run("standin", "--port", port)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        f"error: cannot listen on `127.0.0.1:{port}`: Address already in use\n"
        "hint: choose another port; 0 takes any that is free\n"
    )
