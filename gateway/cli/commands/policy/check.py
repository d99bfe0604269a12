"""`policy check`: whether a document can be taken, and everything that is wrong with it if not."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import click

from gateway.cli.flags import json_flag, with_settings
from gateway.cli.in_force import InForce, limits_of, policy_in_force
from gateway.cli.screen import document, note, say
from gateway.cli.words import counted
from gateway.errors import ConfigError
from gateway.policies import read
from gateway.policy import Policy, PolicyError, Problem, load
from gateway.settings import Settings

HELP = """Say whether a policy can be taken. Without FILE: the one that would be in force.

Every mistake is reported at once, with line, column and what to do; exit code 3. Warnings do not change the exit code.

\b
--json: {"valid", "name", "warnings": [...], "problems": [{"pointer",
  "line", "column", "message", "hint"}]}, and of a valid one
  "revision", "default", "tools", "hidden", "limits" (numbers; "hidden"
  is "*" where everything is)"""


@click.command("check", help=HELP, short_help="say whether a policy can be taken")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@with_settings("policy", "grant", "state")
@json_flag
def command(settings: Settings, *, file: Path | None, as_json: bool) -> int:
    """The command; its help is `HELP`."""
    try:
        in_force = policy_in_force(settings) if file is None else InForce(load(read(file), name=str(file)), file)
    except PolicyError as error:
        if not as_json:
            raise
        problems = [asdict(problem) for problem in error.problems]
        document({"valid": False, "name": error.name, "warnings": [], "problems": problems})
        return ConfigError.exit_code
    if as_json:
        document(_data(in_force.policy))
        return 0
    say(_summary(in_force))
    for warning in in_force.policy.warnings:
        note(f"warning: {_report(warning, in_force.policy)}")
    return 0


def _summary(in_force: InForce) -> str:
    policy = in_force.policy
    hidden = "every tool hidden" if policy.hide_all is not None else f"{len(policy.hide)} hidden"
    parts = (
        f"{counted(len(policy.entries) + len(policy.patterns), 'tool')} named",
        hidden,
        counted(len(limits_of(policy)), "limit"),
        f"what is not named is {'allowed' if policy.default_allows else 'denied'}",
    )
    return f"{in_force.name} is valid: {', '.join(parts)} (revision {policy.revision[:16]})"


def _report(warning: Problem, policy: Policy) -> str:
    return warning.report(policy.name)


def _data(policy: Policy) -> Mapping[str, object]:
    return {
        "valid": True,
        "name": policy.name,
        "revision": policy.revision,
        "default": policy.default,
        "tools": len(policy.entries) + len(policy.patterns),
        "hidden": "*" if policy.hide_all is not None else len(policy.hide),
        "limits": len(limits_of(policy)),
        "warnings": [asdict(warning) for warning in policy.warnings],
        "problems": [],
    }
