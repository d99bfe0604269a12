"""`tools`: what the upstream announces now, and what the policy makes of it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import click

from gateway.announced import not_announced, unjudgeable
from gateway.authoring.risk import assess
from gateway.catalogue import Catalogue
from gateway.cli.doubts import report
from gateway.cli.effects import EFFECTS, STYLES, Standing, standing
from gateway.cli.flags import REACHING, json_flag, with_settings
from gateway.cli.in_force import InForce, policy_in_force, state
from gateway.cli.kept import not_kept
from gateway.cli.screen import Row as Cells
from gateway.cli.screen import document, note, say, table
from gateway.cli.words import amount, counted, named, rate, shown, tally
from gateway.errors import meant
from gateway.filters import Listing, visible
from gateway.jsonrpc import Json
from gateway.keyid import known_tools
from gateway.policy import Limit, Policy
from gateway.settings import Settings
from gateway.state import lists

HELP = """List the server's tools and what the policy makes of each.

The list is fetched now, from the server; the policy is the one that `run` would judge by. The category is KeyID's
published one; with a question mark stands what a tool claims of itself, where nothing else is known or where that is
graver. `policy scan` goes by the graver of the two.

\b
Effects:
  allowed               every call passes
  limited               passes until a limit of its own is used up
  observed              passes; some rule is only being tried out, and says in
                        the log what it would deny (`mode`)
  depends_on_arguments  some rule looks at the arguments (`policy explain`)
  needs_approval        every call needs a person
  denied, hidden        no call passes; hidden tools are not listed either

--audit looks at the definitions instead: text that the eye does not see (escape
sequences, marks that reorder, zero-width and tag characters, comments, far-off
text), orders to the model ("ignore previous", "do not tell the user"), orders
about other tools, values and names of arguments that read like prose, names
that look like others. It exits with 1 where it finds something.

With `list` = `callable` in the settings, a client is shown no tool of which no
call can pass; the last lines say how many it is shown.

\b
--json: {"server", "policy": {"name", "revision"}, "tools": [{"name",
  "category", "claims", "effect", "rule", "listed", "limits": [{"max",
  "window", "scope"}]}], "all_tools": {"limits": [...]},
  "not_announced": [names]}
--audit --json: {"server", "tools" (their number), "findings": [{"tool" (null:
  the server's instructions), "place", "kind", "message", "excerpt"}]}"""
_SHOWN_MISSING = 5


@dataclass(frozen=True, slots=True)
class Row:
    """One announced tool. `category` is None where KeyID's published list does not have it."""

    name: str
    category: str | None
    claims: str
    graver: bool
    """Whether it says itself that it does more than its category."""
    standing: Standing
    listed: bool


@click.command("tools", help=HELP, short_help="what each tool of the server may do under the policy")
@with_settings("policy", "grant", "list", *REACHING)
@click.option("--effect", type=click.Choice(EFFECTS), metavar="EFFECT", help="only the tools with this effect")
@click.option("--audit", "audited", is_flag=True, help="what in their definitions a person should see first")
@json_flag
def command(settings: Settings, *, effect: str | None, audited: bool, as_json: bool) -> int:
    """The command; its help is `HELP`."""
    from gateway.cli.live_list import fetch

    if audited:
        return report(fetch(settings), settings, as_json=as_json)
    in_force = policy_in_force(settings)
    catalogue = fetch(settings)
    rows = _rows(catalogue, in_force, settings.list)
    missing = not_announced(in_force.policy, catalogue.definitions())
    lists.keep(settings.state, settings.server, catalogue.definitions())
    _warn(missing, catalogue)
    for name, cause in list(unjudgeable(in_force.policy, catalogue).items())[:_SHOWN_MISSING]:
        note(f"warning: every call of {shown(name, 64)} is denied, because its input schema cannot be used: {cause}")
    _warn_of_pins(settings, catalogue)
    wanted = [row for row in rows if effect in (None, row.standing.effect)]
    if as_json:
        document({**_document(settings, in_force, wanted), "not_announced": missing})
    else:
        _show(settings, in_force, rows, wanted)
    return 0


def _warn_of_pins(settings: Settings, catalogue: Catalogue) -> None:
    with state(settings.state) as opened:
        held = list(not_kept(opened, settings, catalogue))
    if not held:
        return
    some = ", ".join(f"`{shown(name, 64)}`" for name in held[:_SHOWN_MISSING])
    more = f" and {len(held) - _SHOWN_MISSING} more" if len(held) > _SHOWN_MISSING else ""
    note(f"warning: {counted(len(held), 'tool')} not listed to clients, and refused, until accepted: {some}{more}")
    note("hint: `keyid-gateway pins diff` shows what is new")


def _warn(missing: Sequence[str], catalogue: Catalogue) -> None:
    if not missing:
        return
    note(f"warning: the policy names {counted(len(missing), 'tool')} that this server does not announce")
    for name in missing[:_SHOWN_MISSING]:
        close = meant(name, catalogue.names())
        note(f"  {shown(name, 64)}" + (f": did you mean `{shown(close)}`?" if close else ""))
    if len(missing) > _SHOWN_MISSING:
        note(f"  and {len(missing) - _SHOWN_MISSING} more: see `not_announced` in --json")
    note("hint: what is written for a name that no tool has restricts nothing")


def _rows(catalogue: Catalogue, in_force: InForce, listing: Listing) -> list[Row]:
    known = known_tools()
    broken = unjudgeable(in_force.policy, catalogue)
    rows = (
        Row(
            name,
            known[name].category if name in known else None,
            claims((catalogue.definition(name) or {}).get("annotations")),
            name in known and assess(catalogue.definition(name) or {}).category != known[name].category,
            _unjudgeable(in_force.policy, name) if name in broken else standing(in_force.policy, name),
            visible(in_force.policy, name, listing),
        )
        for name in catalogue.names()
    )
    return sorted(rows, key=lambda row: (_ORDER.get(row.category, len(_ORDER)), row.name))


def _unjudgeable(policy: Policy, tool: str) -> Standing:
    """What becomes of a tool whose schema the policy looks at and cannot use."""
    said = standing(policy, tool)
    if said.effect in ("denied", "hidden"):
        return said
    rules = (check.rule for layer in policy.layers for check in layer.applied(tool).checks if check.kind == "schema")
    return Standing("denied", next(rules))


_ORDER: Mapping[str | None, int] = {"Read": 0, "Write": 1, "Execute": 2, "Destructive": 3}


def claims(annotations: Json) -> str:
    """What a tool's annotations say of it; an absent hint takes the protocol's default."""
    hints = annotations if isinstance(annotations, dict) else {}
    if hints.get("readOnlyHint") is True:
        return "read-only"
    return "destroys" if hints.get("destructiveHint", True) is not False else "writes"


def _kind(row: Row) -> str:
    """The category, and what the tool claims of itself where there is none, or where that is graver."""
    if row.category is None:
        return f"{row.claims}?"
    return f"{row.category}, {row.claims}?" if row.graver else row.category


def _document(settings: Settings, in_force: InForce, rows: Sequence[Row]) -> Mapping[str, object]:
    policy = in_force.policy
    return {
        "server": settings.server,
        "policy": {"name": policy.name, "revision": policy.revision},
        "tools": [
            {
                "name": row.name,
                "category": row.category,
                "claims": row.claims,
                "effect": row.standing.effect,
                "rule": row.standing.rule,
                "listed": row.listed,
                "limits": [_limit(limit) for limit in row.standing.limits],
            }
            for row in rows
        ],
        "all_tools": {"limits": [_limit(limit) for limit in policy.all_tools.limits]},
    }


def _limit(limit: Limit) -> Mapping[str, object]:
    return {"max": amount(limit.maximum), "window": limit.window, "scope": limit.scope}


def _show(settings: Settings, in_force: InForce, rows: Sequence[Row], wanted: Sequence[Row]) -> None:
    if not rows:
        say(f"`{settings.server}` announces no tools")
        return
    say(f"{counted(len(rows), 'tool')} of {shown(settings.server)} under {in_force.name}")
    if not wanted:
        say("none of them has this effect; without --effect all are shown")
        return
    say()
    cells: list[Cells] = [
        (
            named(row.name, 64),
            _kind(row),
            (row.standing.words, STYLES[row.standing.effect]),
            shown(row.standing.rule),
        )
        for row in wanted
    ]
    narrow = table(("tool", "category", "effect", "rule"), cells)
    say()
    if narrow:
        say("the rule of each: in a wider terminal, through a pipe, or with --json")
    if any(_kind(row).endswith("?") for row in wanted):
        say("?: what a tool claims of itself; nobody checks that")
    effects = Counter(row.standing.effect.replace("_", " ") for row in rows)
    say(tally({word: effects[word] for word in (effect.replace("_", " ") for effect in EFFECTS)}))
    if settings.list == "callable":
        say(f"listed to clients (`list` is `callable`): {sum(row.listed for row in rows)} of {len(rows)}")
    brakes = ", ".join(map(rate, in_force.policy.all_tools.limits))
    if brakes:
        say(f"all calls together: {brakes}")
    say("next: `keyid-gateway policy explain TOOL '{\"argument\": …}'` says what would become of one call")
