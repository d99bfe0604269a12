"""`policy convert`: a policy from a document of Intercept's."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from gateway.cli.flags import json_flag, with_settings
from gateway.cli.screen import document, note, verbatim
from gateway.cli.words import counted, shown
from gateway.errors import UsageError
from gateway.policies import read
from gateway.policy import PolicyError, Problem, load
from gateway.settings import Settings

if TYPE_CHECKING:
    from gateway.authoring.intercept import Conversion, Converted

HELP: Final = """Make a policy of FILE, a document of Intercept's (github.com/policylayer/intercept, YAML).

The policy goes to standard output, what became of each rule to standard error. The meaning is the same, or nothing is
written: a rule that cannot be said exactly is refused with the reason; exit code 1. Some would refuse more here than
they did there, because a value that cannot be compared is refused here: --tighter takes those, and names them.

\b
Example:
  keyid-gateway policy convert stripe.yaml > policy.json

\b
--json: {"converted", "policy", "rules": [{"pointer", "line", "name",
  "status", "to", "why"}], "notes"}; "status" is "exact", "tighter"
  or "refused", "policy" null where a rule is refused"""


@click.command("convert", help=HELP, short_help="make a policy of a document of Intercept's")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--tighter", is_flag=True, help="take rules that refuse more here than they did there")
@with_settings()
@json_flag
def command(settings: Settings, *, file: Path, tighter: bool, as_json: bool) -> int:
    """The command; its help is `HELP`."""
    del settings
    conversion = _convert(file, tighter=tighter)
    text = None if conversion.document is None else json.dumps(conversion.document, indent=2, ensure_ascii=False)
    if text is not None:
        load(text.encode(), name=str(file))  # what is written can be taken: a fault of ours ends here
    if as_json:
        document(_data(conversion))
    else:
        _tell(file, conversion)
        if text is not None:
            verbatim(text)
    return 1 if text is None else 0


def _convert(file: Path, *, tighter: bool) -> "Conversion":
    from gateway.authoring.intercept import convert  # here, because they import pydantic and the reader of YAML
    from gateway.policy import source

    name = str(file)
    if not source.is_yaml(name):
        raise UsageError(f"`{file}` is not named like YAML", "Intercept's documents end in `.yaml`")
    found = source.read(read(file), name)
    if isinstance(found, Problem):
        raise PolicyError(name, (found,), what="document")
    return convert(found, tighter=tighter)


def _data(conversion: "Conversion") -> Mapping[str, object]:
    return {
        "converted": conversion.document is not None,
        "policy": conversion.document,
        "rules": [asdict(rule) for rule in conversion.rules],
        "notes": list(conversion.notes),
    }


def _tell(file: Path, conversion: "Conversion") -> None:
    for rule in conversion.rules:
        note(_line(file, rule))
    for words in conversion.notes:
        note(f"note: {words}")
    refused = sum(rule.status == "refused" for rule in conversion.rules)
    if refused:
        note(f"error: `{file}` is not converted: {counted(refused, 'refusal')}")
        if any(rule.why.startswith("it would refuse more") for rule in conversion.rules):
            note("hint: --tighter takes what would refuse more here")
        return
    tighter = sum(rule.status == "tighter" for rule in conversion.rules)
    how = "exact in meaning" if not tighter else f"{counted(tighter, 'rule')} tighter than there"
    note(f"`{file}` is converted: {counted(len(conversion.rules), 'rule')}, {how}")


def _line(file: Path, rule: "Converted") -> str:
    name = f" `{shown(rule.name, 60)}`" if rule.name else ""
    to = f" -> {', '.join(shown(pointer) for pointer in rule.to)}" if rule.to else ""
    why = f": {shown(rule.why)}" if rule.why else ""
    return f"{file}:{rule.line}: {shown(rule.pointer)}{name}: {rule.status}{to}{why}"
