"""What `tools --audit` found, as people read it, and as JSON. An excerpt is shown escaped and cut, never as it is."""

from collections.abc import Mapping, Sequence
from typing import Final

from gateway.authoring.trust import Finding, audit
from gateway.catalogue import Catalogue
from gateway.cli.screen import document, say
from gateway.cli.words import counted, named, shown
from gateway.keyid import known_tools
from gateway.settings import Settings

_LONGEST: Final = 300
_CLEAN: Final = 0
_FOUND: Final = 1


def report(catalogue: Catalogue, settings: Settings, *, as_json: bool) -> int:
    """Say what is found in the definitions of a server; the exit code."""
    definitions = [dict(definition) for definition in catalogue.definitions().values()]
    found = audit(definitions, instructions=catalogue.instructions, known=frozenset(known_tools()))
    if as_json:
        document({"server": settings.server, "tools": len(definitions), "findings": [_data(each) for each in found]})
    else:
        _show(found, len(definitions), settings)
    return _FOUND if found else _CLEAN


def _data(finding: Finding) -> Mapping[str, object]:
    return {
        "tool": finding.tool or None,
        "place": finding.place,
        "kind": finding.kind,
        "message": finding.message,
        "excerpt": finding.excerpt[:_LONGEST],
    }


def _show(found: Sequence[Finding], tools: int, settings: Settings) -> None:
    whole = f"{counted(tools, 'tool')} of {shown(settings.server)}"
    if not found:
        say(f"nothing found in {whole}")
        say("no text of them is hidden or gives orders, and no name looks like another; what they do, nobody can tell")
        return
    say(f"{counted(len(found), 'finding')} in {whole}")
    tool: str | None = None
    for finding in found:
        if finding.tool != tool:
            tool = finding.tool
            say()
            say(named(tool, 64) if tool else "the server's instructions")
        say(f"  {shown(finding.place, 120)}: {finding.kind}: {shown(finding.message)}")
        if finding.excerpt:
            say(f"    {shown(' '.join(finding.excerpt.split()) or finding.excerpt, _LONGEST)}")
    say()
    say("hint: read these definitions before an agent does; `hide` in the policy takes a tool away from it")
