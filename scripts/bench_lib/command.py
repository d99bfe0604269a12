"""`scripts/bench`: options, the order of a run, and its end, which is the same however it comes."""

import argparse
import asyncio
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import cast

import platformdirs

from scripts.bench_lib import alone, evidence, peers, policies, report, upstreams
from scripts.bench_lib.bounds import GATEWAY, HTTP, SDK, SDK_GATEWAY, Measured, verdicts
from scripts.bench_lib.contestants import Call, Contestant, OverLines, Programs, RawHttp, SdkDirectly, SdkThroughGateway
from scripts.bench_lib.deciding import measure_large
from scripts.bench_lib.processes import BenchError
from scripts.bench_lib.rounds import Interruption, Plan, measure_flights, measure_mode, measure_starts

BUILT_IN = "builtin:recommended"
PARTS = ("flight", "start", "decide", "state", "evidence", "edit", "lock")
NAMES = (HTTP, SDK, SDK_GATEWAY, GATEWAY, *(peer.name for peer in peers.PEERS), *PARTS)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    found = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measure the gateway beside raw HTTP, the SDK's own client and other gateways: one run, "
        "interleaved, on loopback only. Ratios within one run are what counts; the machine decides on the rest.",
        epilog="exit codes: 0 every measured bound is met, 1 a bound is not met, 2 usage, 4 nothing could be measured",
    )
    cache = Path(platformdirs.user_cache_dir("keyid-gateway-bench")) / "peers"
    add = found.add_argument
    add("--rounds", type=int, default=5, help="interleaved rounds in each mode (default 5; starts: at least 7)")
    add("--calls", type=int, default=500, help="sequential calls of each contestant in a round (default 500)")
    add("--only", help="comma-separated, of: " + ", ".join(NAMES))
    add("--modes", default="sse,json", help="how the upstream answers (default sse,json)")
    add("--upstream", choices=upstreams.KINDS, default="standin", help="`echo` does the least a server can do")
    add(
        "--policy",
        default=BUILT_IN,
        help="the policy in force, its maxima raised (default the built-in pack)",
    )
    add("--tool", default="create_or_update_persona", help="the tool that is called")
    add("--arguments", default='{"first_name": "Robin"}', help="its arguments, as JSON")
    add("--records", type=int, default=1_000_000, help="audit records that are there already (default 1000000)")
    add("--flat", type=int, default=0, metavar="CALLS", help="also: memory over so many calls (100000 take minutes)")
    add("--peers", type=Path, default=cache, metavar="DIR", help=f"where peers are installed (default {cache})")
    add("--install-peers", type=Path, metavar="DIR", nargs="?", const=cache, help="install the peers there, and end")
    add("--output", type=Path, default=Path("bench-results.json"), metavar="FILE", help="the results as JSON")
    return found


def run(words: Sequence[str], root: Path) -> int:
    """Run it; the exit code."""
    options = parser().parse_args(words)
    if options.install_peers is not None:
        return peers.install_all(options.install_peers.absolute())
    unknown = set(_chosen(options)) - set(NAMES)
    if unknown or min(options.rounds, options.calls, options.records) < 1:
        parser().error(f"unknown: {', '.join(sorted(unknown))}" if unknown else "counts begin with 1")
    interruption = Interruption()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interruption.take)
    try:
        with tempfile.TemporaryDirectory(prefix="keyid-gateway-bench-") as folder:
            return asyncio.run(_Run(options, root, Path(folder), interruption).go())
    except (BenchError, OSError, subprocess.SubprocessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 4
    except (KeyboardInterrupt, BaseExceptionGroup) as error:
        if isinstance(error, BaseExceptionGroup) and error.subgroup(KeyboardInterrupt) is None:
            raise
        print("interrupted: everything that was started is ended", file=sys.stderr)
        return 130


def _chosen(options: argparse.Namespace) -> list[str]:
    return options.only.split(",") if options.only else list(NAMES)


class _Run:
    def __init__(self, options: argparse.Namespace, root: Path, folder: Path, interruption: Interruption) -> None:
        self._options = options
        self._root, self._folder = root, folder
        self._chosen = _chosen(options)
        self._document = _document(options.policy, options.tool)
        policy = folder / "policy.json"
        alone.write(policy, self._document)
        self._programs = Programs(root, folder, options.peers.absolute(), sys.executable, policy)
        call = Call(options.tool, cast(dict[str, object], json.loads(options.arguments)))
        self._plan = Plan(call, options.rounds, options.calls, interruption)
        found = {peer.name: peer.installed(self._programs.peers) for peer in peers.PEERS if peer.name in self._chosen}
        self._versions = {name: version for name, version in found.items() if version}
        self._absent = {
            name: "absent (scripts/bench --install-peers)" for name, version in found.items() if version is None
        }

    async def go(self) -> int:
        measured = Measured(peers=tuple(self._versions))
        contestants = self._contestants()
        for mode in self._options.modes.split(",") if contestants else ():
            with self._upstream(mode) as address:
                measured.modes[mode] = await measure_mode(self._plan, contestants, address, mode)
                if "flight" in self._chosen:
                    await measure_flights(self._plan, contestants, address, measured.modes[mode])
        await self._beside(measured)
        about = report.Surroundings(
            {name: str(value) for name, value in vars(self._options).items() if not isinstance(value, Path)},
            self._versions,
            self._absent,
            self._plan.failures,
        )
        report.show(measured, about)
        report.write(self._options.output, measured, about)
        return 1 if any(verdict.met is False for verdict in verdicts(measured)) else 0

    async def _beside(self, measured: Measured) -> None:
        """What is measured one thing after the other."""
        self._plan.interruption.check()
        call, document = self._plan.call, self._document
        if "decide" in self._chosen:
            measured.alone |= alone.measure_decide(document, call)
            measured.alone |= measure_large(document, call.tool, call.arguments)
        if "state" in self._chosen:
            measured.alone |= await alone.measure_state(document, call, self._folder, self._options.records)
        if "evidence" in self._chosen:
            measured.alone |= await evidence.measure(self._folder, self._options.records)
        if not {"start", "edit", "lock"} & set(self._chosen) and not self._options.flat:
            return
        with self._upstream("sse") as address:
            process = alone.Process(self._programs, document, call, address)
            if "start" in self._chosen:
                names = [name for name in (GATEWAY, *self._versions) if name in self._chosen]
                measured.starts = await measure_starts(self._plan, self._programs, names, address)
            if "edit" in self._chosen:
                measured.alone |= process.edit()
            if "lock" in self._chosen:
                measured.alone |= process.lock()
            if self._options.flat:
                measured.alone |= process.flat(self._options.flat)

    def _contestants(self) -> list[Contestant]:
        everybody: list[Contestant] = [
            RawHttp(),
            SdkDirectly(),
            SdkThroughGateway(self._programs),
            *(OverLines(self._programs, name) for name in (GATEWAY, *self._versions)),
        ]
        return [contestant for contestant in everybody if contestant.name in self._chosen]

    def _upstream(self, mode: str) -> AbstractContextManager[str]:
        return upstreams.upstream(self._options.upstream, mode, self._root, self._folder)


def _document(policy: str, tool: str) -> policies.Document:
    if policy == BUILT_IN:
        from gateway.keyid import recommended

        text = recommended.text()
    else:
        text = Path(policy).read_text(encoding="utf-8")
    document = policies.roomy(text)
    reason = policies.lacks(document, tool)
    if reason is not None:
        raise BenchError(f"{reason}; choose another with --tool and --arguments")
    return document
