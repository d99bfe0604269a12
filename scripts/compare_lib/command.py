"""`scripts/compare`: the same steps directly and through the gateway, by each client; what differs."""

import argparse
import asyncio
import json
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal, TypeAlias

import platformdirs
from mcp import StdioServerParameters

from scripts.bench_lib.processes import BenchError, running, surroundings
from scripts.compare_lib.driver import Driver

Json: TypeAlias = Any
PACKAGES = ("@modelcontextprotocol/server-everything@2026.8.31", "@modelcontextprotocol/client@2.4.0")
HERE = Path(__file__).parent
STEPS = HERE / "steps.json"
MODES: tuple[Literal["legacy", "auto"], ...] = ("legacy", "auto")
_PATIENCE = 20.0
_TIMES: Mapping[str, str] = {
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}": "(id)",
    r"\d{4}-\d\d-\d\dT[0-9:.]+Z": "(time)",
    r"\d{1,2}:\d\d:\d\d( [AP]M)?": "(time)",
}
"""What differs between any two runs."""
_BLOB = re.compile(r'"blob": ?"[A-Za-z0-9+/=]*"')


def parser() -> argparse.ArgumentParser:
    """The command line."""
    found = argparse.ArgumentParser(
        prog="scripts/compare",
        description="Drive the reference server that has everything, directly and through the gateway under a policy "
        "that allows all, by the Python SDK's client and by the TypeScript SDK's: the results must be the same.",
        epilog="exit codes: 0 the same, 1 something differs, 2 usage, 4 not installed, or it does not start",
    )
    cache = Path(platformdirs.user_cache_dir("keyid-gateway-bench")) / "compare"
    found.add_argument("--packages", type=Path, default=cache, metavar="DIR", help=f"where they are (default {cache})")
    found.add_argument(
        "--install", type=Path, metavar="DIR", nargs="?", const=cache, help="install them there with npm, and end"
    )
    return found


def run(words: Sequence[str], root: Path) -> int:
    """Run it; the exit code."""
    options = parser().parse_args(words)
    if options.install is not None:
        folder = options.install.absolute()
        command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), *PACKAGES]
        return subprocess.run(command, check=False).returncode
    packages = options.packages.absolute()
    if not _server(packages).exists():
        print(f"error: nothing is installed in {packages}\nhint: scripts/compare --install", file=sys.stderr)
        return 4
    try:
        with tempfile.TemporaryDirectory(prefix="keyid-gateway-compare-") as folder:
            return _compare(root, Path(folder), packages)
    except (BenchError, OSError, subprocess.SubprocessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 4


def _compare(root: Path, folder: Path, packages: Path) -> int:
    steps = json.loads(STEPS.read_text(encoding="utf-8"))
    names = [" ".join(word if isinstance(word, str) else json.dumps(word) for word in step) for step in steps]
    differing = 0
    with _everything(packages, folder) as url:
        gateway = _gateway(root, folder, url)
        for mode in MODES:
            for client in ("python", "typescript"):
                direct, through = (_taken(client, mode, target, packages, folder) for target in ([url], gateway))
                differing += _report(f"{client}, {mode}", names, direct, through)
    print(f"{differing} differences")
    return 1 if differing else 0


def _taken(client: str, mode: Literal["legacy", "auto"], target: Sequence[str], packages: Path, folder: Path) -> Json:
    environment = surroundings(folder)
    if client == "typescript":
        words = ["node", str(HERE / "driver.mjs"), str(packages), str(STEPS), mode, *target]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=120)
        if done.returncode:
            raise BenchError(f"the TypeScript client failed: {done.stderr[-500:]}")
        return json.loads(done.stdout)
    server = StdioServerParameters(command=target[0], args=list(target[1:]), env=environment)
    steps = json.loads(STEPS.read_text(encoding="utf-8"))
    errors = folder / "errors.txt"
    return asyncio.run(Driver(mode).take(steps, target[0] if len(target) == 1 else server, errors))


def _gateway(root: Path, folder: Path, url: str) -> list[str]:
    policy = folder / "policy.json"
    policy.write_text('{"version": "1", "default": "allow"}', encoding="utf-8")
    program = f"import sys; sys.path.insert(0, {str(root)!r}); from gateway.__main__ import main; sys.exit(main())"
    return [
        *(sys.executable, "-c", program, "run", "--upstream", url, "--policy", str(policy)),
        *("--state", str(folder / "state.db"), "--log-file", str(folder / "gateway.log")),
    ]


# --- the server -------------------------------------------------------------------------------------------------------


def _server(packages: Path) -> Path:
    return packages / "node_modules/@modelcontextprotocol/server-everything/dist/index.js"


@contextmanager
def _everything(packages: Path, folder: Path) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = surroundings(folder, PORT=str(port))
    command = ["node", str(_server(packages)), "streamableHttp"]
    with running(command, cwd=folder, environment=environment, complaints=folder / "server.txt") as child:
        reader = threading.Thread(target=_read_away, args=(child.stdout,), daemon=True)
        reader.start()
        _wait_for(port)
        yield f"http://127.0.0.1:{port}/mcp"
    reader.join(_PATIENCE)


def _read_away(stream: IO[bytes] | None) -> None:
    """What it prints is of no interest, and it must not wait for somebody to read it."""
    while stream is not None and stream.read(65_536):
        continue


def _wait_for(port: int) -> None:
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > until:
                raise BenchError("the server does not start") from None
            time.sleep(0.05)
        else:
            return


# --- what differs -----------------------------------------------------------------------------------------------------


def _report(title: str, names: Sequence[str], direct: Json, through: Json) -> int:
    """Print what differs; how much does."""
    print(f"{title}: {len(names)} steps, {_errors(direct)} of them errors; heard {_sorted(direct['heard'])}")
    pairs = [*zip(names, direct["found"], through["found"], strict=True)]
    pairs.append(("(what was heard)", _heard(direct), _heard(through)))
    differing = 0
    for name, one, other in pairs:
        if same(one) == same(other):
            continue
        designed = _is_unknown_tool(other)
        differing += not designed
        print(f"  {'by design' if designed else 'DIFFERS'}: {name}")
        print(f"    direct   {_sorted(one)[:600]}\n    through  {_sorted(other)[:600]}")
    return differing


def _is_unknown_tool(outcome: Json) -> bool:
    """Whether the gateway refused a name that the server does not have: it answers that itself, whatever the policy."""
    meta = (outcome.get("result") or {}).get("_meta") or {}
    return bool(meta.get("keyid-gateway/decision", {}).get("rule") == "(unknown tool)")


def _heard(taken: Json) -> Json:
    """What was heard, without the last word on progress.

    The TypeScript SDK handles an answer at once and a notification a moment later, so that it drops a progress that it
    reads together with the answer. On standard input that is common, with this server directly as well.
    """
    return {what: often for what, often in taken["heard"].items() if not re.fullmatch(r"progress (\d+) of \1", what)}


def _errors(taken: Json) -> int:
    return sum("error" in one or one["result"].get("isError") is True for one in taken["found"] if one.get("result"))


def same(value: Json) -> str:
    """What two runs must have in common: everything but times and ids, in whatever order keys stand."""
    text = _sorted(value)
    for pattern, instead in _TIMES.items():
        text = re.sub(pattern, instead, text)
    return _BLOB.sub('"blob": (bytes)', text) if "created at" in text or "blob/" in text else text


def _sorted(value: Json) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
