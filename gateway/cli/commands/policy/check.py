"""`policy check`: whether a document can be taken, what is wrong with it if not, and what one would regret."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from gateway.authoring.lint import as_problems, lint
from gateway.catalogue import Catalogue
from gateway.cli.flags import REACHING, json_flag, with_settings
from gateway.cli.in_force import InForce, limits_of, policy_in_force
from gateway.cli.screen import document, note, say
from gateway.cli.words import counted, shown
from gateway.errors import ConfigError
from gateway.policies import read
from gateway.policy import Policy, PolicyError, Problem, load
from gateway.settings import Settings
from gateway.state import lists

HELP = """Say whether a policy can be taken, and what you might regret. Without FILE: the one that would be in force.

Every mistake is reported at once, with line, column and what to do; exit code 3. Warnings tell what a policy does that
is hardly meant: names and arguments that the server does not have, rules that can never decide anything, limits that
are never reached, patterns that match anywhere, what destroys left open. They change the exit code only with --strict.

Names are compared with the list that the server announced last to a gateway or to `tools`; --live asks it now. Where
there is none, only slips of the names that KeyID publishes are seen.

\b
--json: {"valid", "name", "warnings": [...], "notes": [...],
  "problems": [{"pointer", "line", "column", "message", "hint"}]}, and
  of a valid one "revision", "default", "tools", "hidden", "limits"
  (numbers; "hidden" is "*" where everything is), "compared_with"
  (tools of the server's list; null: there is none)"""


@dataclass(frozen=True, slots=True)
class Checked:
    """A valid policy, and what there is to say of it; `known` is how many tools the server has (None: who knows)."""

    in_force: InForce
    warnings: tuple[Problem, ...]
    notes: tuple[Problem, ...]
    known: int | None


@click.command("check", help=HELP, short_help="say whether a policy can be taken, and what one might regret")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--live", is_flag=True, help="ask the server which tools it has")
@click.option("--strict", is_flag=True, help="exit code 1 if there is a warning")
@with_settings("policy", "grant", *REACHING)
@json_flag
def command(settings: Settings, *, file: Path | None, live: bool, strict: bool, as_json: bool) -> int:
    """The command; its help is `HELP`."""
    try:
        in_force = policy_in_force(settings) if file is None else InForce(load(read(file), name=str(file)), file)
    except PolicyError as error:
        if not as_json:
            raise
        problems = [asdict(problem) for problem in error.problems]
        document({"valid": False, "name": error.name, "warnings": [], "notes": [], "problems": problems})
        return ConfigError.exit_code
    checked = _checked(in_force, _catalogue(settings, live=live))
    if as_json:
        document(_data(checked))
    else:
        _show(settings, checked)
    return 1 if strict and checked.warnings else 0


def _catalogue(settings: Settings, *, live: bool) -> Catalogue | None:
    if not live:
        return lists.last(settings.state, settings.server)
    from gateway.cli.live_list import fetch

    catalogue = fetch(settings)
    lists.keep(settings.state, settings.server, catalogue.definitions())
    return catalogue


def _checked(in_force: InForce, catalogue: Catalogue | None) -> Checked:
    policy = in_force.policy
    findings = lint(policy, catalogue)
    warnings = as_problems(policy, [item for item in findings if item.level == "warning"])
    notes = as_problems(policy, [item for item in findings if item.level == "note"])
    return Checked(in_force, (*policy.warnings, *warnings), notes, None if catalogue is None else len(catalogue))


def _show(settings: Settings, checked: Checked) -> None:
    policy = checked.in_force.policy
    say(_summary(checked.in_force))
    if checked.known is not None:
        say(f"compared with the {counted(checked.known, 'tool')} that {shown(settings.server)} announced last")
    _report("note", checked.notes, policy, say)
    _report("warning", checked.warnings, policy, note)


def _report(level: str, problems: Sequence[Problem], policy: Policy, write: Callable[[str], None]) -> None:
    for problem in problems:
        write(f"{level}: {problem.report(policy.name)}")


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


def _data(checked: Checked) -> Mapping[str, object]:
    policy = checked.in_force.policy
    return {
        "valid": True,
        "name": policy.name,
        "revision": policy.revision,
        "default": policy.default,
        "tools": len(policy.entries) + len(policy.patterns),
        "hidden": "*" if policy.hide_all is not None else len(policy.hide),
        "limits": len(limits_of(policy)),
        "compared_with": checked.known,
        "warnings": [asdict(warning) for warning in checked.warnings],
        "notes": [asdict(item) for item in checked.notes],
        "problems": [],
    }
