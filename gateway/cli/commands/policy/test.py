"""`policy test`: whether a policy does what its tests say."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from gateway.cli.flags import json_flag, with_settings
from gateway.cli.in_force import policy_in_force
from gateway.cli.screen import document, note, say
from gateway.cli.words import counted, shown
from gateway.errors import ConfigError, GatewayError, UsageError
from gateway.policies import read
from gateway.policy import Policy, load
from gateway.settings import Settings

if TYPE_CHECKING:
    from gateway.authoring.trial import Failure, Outcome

HELP: Final = """Run the tests of a policy: does it do what they say?

PATH is a policy, the tests themselves, a folder with both, or a folder of such folders; without it, it is the policy
that would be in force. The tests of `policy.json` stand in `tests.json` beside it, those of `other.json` in
`other.tests.json`. Every request in them is judged as `run` judges, with counters of the test's own and a clock that
only the test moves; nothing is sent anywhere.

\b
Example of a tests.json (`keyid`: its tools as this program knows them):
  { "version": "1", "server": "keyid", "tests": [
    { "name": "two mails an hour", "steps": [
      { "call": { "tool": "send_email", "arguments": { "to": "a@b.example",
          "subject": "Hi", "body": "..." } },
        "times": 2, "expect": { "effect": "allow" } },
      { "call": { "tool": "send_email" },
        "advance": 60, "expect": { "effect": "deny" } } ] } ] }

A step may also have `request` (`method`, `params`) in place of `call`, `grant`, `session`, `client`, and expect a
`rule`, `reason`, `message` or `retry_after_seconds`.

The first request of a test that comes out otherwise is shown with what would have to change; exit code 1. So it is
where there is nothing to run. A mistake in the policy or in its tests: exit code 3.

\b
--json: {"passed", "failed", "requests", "policies": [{"policy",
  "revision", "tests", "requests", "failures": [{"test", "pointer",
  "line", "step", "time", "times", "request", "now", "differences":
  [{"field", "expected", "found"}], "found", "rule_line", "advice"}]}]}"""

_POLICIES: Final = ("policy.json", "policy.yaml", "policy.yml")
_TESTS: Final = ("tests.json", "tests.yaml", "tests.yml")
_LONGEST_REQUEST: Final = 160


@dataclass(frozen=True, slots=True)
class Pair:
    """A policy and the file of its tests."""

    policy: Path
    tests: Path


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of one pair."""

    pair: Pair
    policy: Policy
    outcome: "Outcome"


@click.command("test", help=HELP, short_help="run the tests of a policy")
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--tests", type=click.Path(path_type=Path), metavar="FILE", help="the tests, if they stand elsewhere")
@with_settings("policy", "grant", "state")
@json_flag
def command(settings: Settings, *, path: Path | None, tests: Path | None, as_json: bool) -> int:
    """The command; its help is `HELP`."""
    found = list(_pairs(_asked(settings) if path is None else path, tests))
    runs = [_run(pair) for pair in found]
    failed = sum(len(ran.outcome.failures) for ran in runs)
    total = sum(ran.outcome.tests for ran in runs)
    if as_json:
        document(_data(runs, total, failed))
    else:
        _show(runs, total, failed)
    return 0 if total and not failed else 1


def _asked(settings: Settings) -> Path:
    file = policy_in_force(settings).file
    if file is None:
        hint = "name a policy: `keyid-gateway policy test PATH`"
        raise UsageError("the built-in pack is in force, which has no file beside which tests could stand", hint)
    return file


# --- which tests ------------------------------------------------------------------------------------------------------


def _pairs(path: Path, tests: Path | None) -> Iterator[Pair]:
    """The policies at a path with their tests. Raises `UsageError` where there are none."""
    if tests is not None:
        yield Pair(_policy_in(path) if path.is_dir() else path, tests)
        return
    if not path.is_dir():
        yield _of_file(path)
        return
    folders = [path, *sorted(folder for folder in path.iterdir() if folder.is_dir())]
    found = [pair for pair in map(_of_folder, folders) if pair is not None]
    if not found:
        raise GatewayError(f"nothing to run: `{path}` holds no policy with tests", _how(path / "policy.json"))
    yield from found


def _of_folder(folder: Path) -> Pair | None:
    policy, tests = _first(folder, _POLICIES), _first(folder, _TESTS)
    return Pair(policy, tests) if policy is not None and tests is not None else None


def _of_file(file: Path) -> Pair:
    if file.name in _TESTS:
        return Pair(_policy_in(file.parent), file)
    stem, mark, _ = file.name.partition(".tests.")
    if mark:
        policy = _first(file.parent, tuple(f"{stem}{suffix}" for suffix in (".json", ".yaml", ".yml")))
        if policy is None:
            raise UsageError(f"there is no policy `{stem}.json` beside `{file}`", "name the policy, and `--tests FILE`")
        return Pair(policy, file)
    own = tuple(f"{file.stem}.tests{suffix}" for suffix in (".json", ".yaml", ".yml"))
    tests = _first(file.parent, (*own, *_TESTS) if file.name in _POLICIES else own)
    if tests is None and file.exists():
        raise GatewayError(f"nothing to run: `{file}` has no tests", _how(file))
    return Pair(file, tests or file)  # a policy that does not exist is said by whoever reads it


def _policy_in(folder: Path) -> Path:
    policy = _first(folder, _POLICIES)
    if policy is None:
        raise UsageError(f"there is no policy in `{folder}`", "it is called `policy.json`, or name it: `--tests FILE`")
    return policy


def _first(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name).exists()), None)


def _how(policy: Path) -> str:
    name = "tests.json" if policy.name in _POLICIES else f"{policy.stem}.tests.json"
    example = (
        '{"version": "1", "tests": [{"name": "…", "steps": [{"call": {"tool": "send_email"}, '
        '"expect": {"effect": "deny"}}]}]}'
    )
    return f"write `{name}` beside it, like {example}"


# --- running them -----------------------------------------------------------------------------------------------------


def _run(pair: Pair) -> Ran:
    from gateway.authoring import suite, trial  # here, because they import pydantic

    policy = load(read(pair.policy), name=str(pair.policy))
    if not pair.tests.exists():
        raise ConfigError(f"file of tests `{pair.tests}` does not exist", "check the path")
    tests = suite.read_tests(read(pair.tests), name=str(pair.tests))
    return Ran(pair, policy, asyncio.run(trial.run(policy, tests)))


def _data(runs: list[Ran], total: int, failed: int) -> Mapping[str, object]:
    return {
        "passed": total - failed,
        "failed": failed,
        "requests": sum(ran.outcome.requests for ran in runs),
        "policies": [
            {
                "policy": str(ran.pair.policy),
                "revision": ran.policy.revision,
                "tests": str(ran.pair.tests),
                "requests": ran.outcome.requests,
                "failures": [asdict(failure) for failure in ran.outcome.failures],
            }
            for ran in runs
        ],
    }


# --- for people -------------------------------------------------------------------------------------------------------


def _show(runs: list[Ran], total: int, failed: int) -> None:
    for ran in runs:
        for failure in ran.outcome.failures:
            _show_failure(ran, failure)
        if len(runs) > 1:
            bad = len(ran.outcome.failures)
            say(f"{ran.pair.policy.parent.name}: {_counts(ran.outcome.tests, bad)}")
    if not total:
        note("nothing was tested: the file has no tests in it")
        return
    requests = sum(ran.outcome.requests for ran in runs)
    where = (
        f"`{runs[0].pair.policy}`" if len(runs) == 1 else counted(len(runs), "policy").replace("policys", "policies")
    )
    say(f"{where}: {_counts(total, failed)} ({counted(requests, 'request')} judged)")


def _counts(total: int, failed: int) -> str:
    if not failed:
        return f"{counted(total, 'test')} passed"
    return f"{failed} of {counted(total, 'test')} failed"


def _show_failure(ran: Ran, failure: "Failure") -> None:
    time = "" if failure.times == 1 else f", request {failure.time} of {failure.times}"
    at = datetime.fromtimestamp(failure.now, UTC)
    say(f"FAILED {shown(failure.test)}")
    say(f"  {ran.pair.tests}:{failure.line}, step {failure.step}{time}, {at:%Y-%m-%d %H:%M:%S} UTC")
    say(f"  {shown(failure.request, _LONGEST_REQUEST)}")
    for difference in failure.differences:
        say(f"    {difference.field}: expected {_value(difference.expected)}")
        say(f"    {' ' * len(difference.field)}  found    {_value(difference.found)}")
    found = failure.found
    place = "" if failure.rule_line is None else f" ({ran.pair.policy}:{failure.rule_line})"
    said = f": {shown(found.message)}" if found.message else ""
    say(f"  decided by {shown(found.rule)}{place}{said}")
    say(f"  hint: {shown(failure.advice)}")
    say()


def _value(value: str | int | None) -> str:
    if value is None:
        return "nothing"
    return str(value) if isinstance(value, int) else f"`{shown(value)}`" if value else "nothing"
