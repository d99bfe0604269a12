"""The reference pages of `gateway/docs`: each is made of the code that it describes."""

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Final, cast

import click

from gateway.authoring import glossary
from gateway.authoring.reference import KEYS, MODELS
from gateway.authoring.schema import schema
from gateway.cli.commands import root
from gateway.cli.exits import EXITS
from gateway.jsonrpc import Json
from gateway.policy.operators import OPERATORS
from gateway.policy.paths import FACTS
from gateway.settings import OPTIONS, Option

_MACHINE: Final = "\n  On this machine:"
_COLUMNS: Final = 80
_NOUNS: Final[Mapping[str, str]] = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "`true` or `false`",
    "null": "null",
    "object": "object",
    "array": "list",
}
_TAKES: Final[Mapping[str | None, str]] = {
    None: "any value",
    "number": "a number",
    "array": "a list",
    "boolean": "`true` or `false`",
    "string": "a text (RE2)",
}
_LEADS: Final[Mapping[str, str]] = {"tool": ".TOOL", "hint": ".HINT", "": ""}


def page(title: str, lines: Iterator[str]) -> str:
    """One page: its title, who made it, and the rest."""
    text = "\n".join((f"# {title}", "", "<!-- Made by scripts/generate from the code: do not edit. -->", "", *lines))
    return re.sub(r"\n{3,}", "\n\n", text.rstrip()) + "\n"


def _words(text: str) -> Iterator[str]:
    """Lines of text as they stand, without what indents them here; then an empty one."""
    yield from inspect.cleandoc(text).splitlines()
    yield ""


# --- commands ---------------------------------------------------------------------------------------------------------


def commands() -> str:
    return page("Commands", _commands())


def _commands() -> Iterator[str]:
    context = _context(root, "keyid-gateway")
    found = [each for each in _walk(context) if each.parent is not None]
    yield from _words("""
        What `--help` says of each. Every flag of a setting is described in [settings](settings.md), the codes that a
        command ends with in [exit codes](exit-codes.md).
    """)
    yield ""
    for each in found:
        if not isinstance(each.command, click.Group):
            words = each.command_path.removeprefix("keyid-gateway ")
            yield f"- [{words}](#{_anchor(each.command_path)}): {each.command.short_help}"
    yield ""
    for each in (context, *found):
        yield f"## {each.command_path}"
        yield ""
        yield "```text"
        yield each.command.get_help(each).partition(_MACHINE)[0].rstrip()
        yield "```"
        yield ""


def _walk(context: click.Context) -> Iterator[click.Context]:
    yield context
    if isinstance(context.command, click.Group):
        for name, command in context.command.commands.items():
            yield from _walk(_context(command, name, context))


def _context(command: click.Command, name: str, parent: click.Context | None = None) -> click.Context:
    return click.Context(
        command,
        info_name=name,
        parent=parent,
        terminal_width=_COLUMNS,
        max_content_width=_COLUMNS,
        help_option_names=["-h", "--help"],
    )


def _anchor(heading: str) -> str:
    return heading.lower().replace(" ", "-")


# --- settings ---------------------------------------------------------------------------------------------------------


def settings() -> str:
    return page("Settings", _settings())


def _settings() -> Iterator[str]:
    yield from _words(
        """
        Each can be set in four ways. A flag goes before a variable of the environment, that before the profile in use,
        the profile before the rest of the settings file; where nobody says anything, the default holds. `settings.toml`
        is in the config folder (`keyid-gateway run --help` says where), and `KEYID_GATEWAY_CONFIG_DIR` names another
        one. `keyid-gateway profiles show` says what is in force and where it comes from.

            version = 1                  # of the file; this is the only one
            profile = "work"             # which profile is used unless somebody names one
            grant = "me"                 # any setting, for all profiles that do not say otherwise

            [profiles.work]              # settings under a name
            upstream = "https://mcp.example.com/mcp"

        Relative paths in the file begin at its folder, those of flags and variables where the program is started.
        """
    )
    for option in OPTIONS:
        yield from ("", f"## {option.name}", "", f"{_sentence(option.help)}", "", "| | |", "|---|---|")
        yield from (f"| {way} | {how} |" for way, how in _ways(option))


def _ways(option: Option) -> Iterator[tuple[str, str]]:
    again = ", as often as wanted" if option.repeatable else ""
    yield "default", option.shown_default
    yield "flag", f"`{f'{option.flag} {option.metavar}'.strip()}`{again}"
    secret = ", or the secret itself" if option.secret else ""
    yield "variable", f"`{option.variable}={'true' if option.switch else option.metavar.strip(chr(39))}`{secret}"
    yield "settings.toml", f"`{option.name} = {_toml(option)}`"
    yield "profile", "names no other" if option.name == "profile" else "the same line below `[profiles.NAME]`"


def _toml(option: Option) -> str:
    if option.switch:
        return "true"
    if option.repeatable:
        return f'["{option.metavar.strip(chr(39))}", …]'
    number = option.make is None and isinstance(option.default, int | float)
    return option.shown_default if number else f'"{option.metavar.strip(chr(39))}"'


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."


# --- the policy language ----------------------------------------------------------------------------------------------


def policy() -> str:
    return page("Fields of a policy", _policy())


def _policy() -> Iterator[str]:
    document = schema()
    definitions = cast("dict[str, dict[str, Json]]", document["$defs"])
    yield from _words("""
        A policy is one JSON document (or YAML, by the file's name). What is written here is all there is: any other key
        is a mistake. How conditions compare is in [operators](operators.md); what a refusal says, in
        [reasons](reasons.md). Editors complete these keys with the schema that `keyid-gateway policy schema` prints.
    """)
    for name in MODELS:
        model = document if name == "Document" else definitions[name]
        required = cast("list[str]", model.get("required", []))
        fields = cast("dict[str, dict[str, Json]]", model["properties"])
        yield from ("", f"## {name}", "", MODELS[name], "", "| key | | what it says |", "|---|---|---|")
        for key in KEYS[name]:
            needed = ", required" if key in required else ""
            yield f"| `{key}` | {_kind(fields[key])}{needed} | {KEYS[name][key]} |"


def _kind(field: Mapping[str, Json]) -> str:
    """What may stand in a field, in words."""
    if "$ref" in field:
        name = str(field["$ref"]).removeprefix("#/$defs/")
        return f"[{name}](#{name.lower()})"
    if "anyOf" in field:
        return " or ".join(_kind(cast("dict[str, Json]", each)) for each in cast("list[Json]", field["anyOf"]))
    if "const" in field:
        return f"`{_json(field['const'])}`"
    if "enum" in field:
        return ", ".join(f"`{_json(value)}`" for value in cast("list[Json]", field["enum"]))
    if field.get("type") == "array":
        return f"list of {_kind(cast('dict[str, Json]', field.get('items', {})))}"
    inner = field.get("additionalProperties")
    if field.get("type") == "object" and isinstance(inner, dict):
        return f"names to {_kind(inner)}"
    return _NOUNS.get(str(field.get("type")), "any value")


def _json(value: Json) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


def operators() -> str:
    return page("Operators and facts", _operators())


def _operators() -> Iterator[str]:
    yield from _words("""
        A condition is `{"path", "op", "value"}`. It holds, it does not, or it cannot be judged; a call with a condition
        that cannot be judged is refused, whichever way the rule is written.
    """)
    yield from ("", "| op | `value` is | holds when what stands at `path` |", "|---|---|---|")
    for name, operator in OPERATORS.items():
        yield f"| `{name}` | {_TAKES[operator.takes]} | {glossary.OPERATORS[name]} |"
    yield ""
    yield from _words("""
        What is absent, or null, satisfies nothing but `exists` with `false`. A value of another kind than the operator
        compares cannot be judged. A path with `[*]` means any element in `deny_if`, all (and at least one) in
        `require`.
    """)
    yield from ("", "## Paths", "", "| path | what it finds |", "|---|---|")
    yield '| `args.to`, `args["odd.name"]` | an argument |'
    yield "| `args.list[0]`, `args.list[*].x` | an element of a list; of every element a member |"
    for fact, leads in FACTS.items():
        yield f"| `{fact}{_LEADS[leads]}` | {glossary.FACTS[fact]} |"


def reasons() -> str:
    return page("Reasons of a decision", _reasons())


def _reasons() -> Iterator[str]:
    yield from _words("""
        Every decision has a rule and a reason. A refused call reads both in `_meta` (`keyid-gateway/decision`), and the
        audit log has them (`keyid-gateway audit query --reason REASON`). The rule is a pointer into the policy, or a
        word in parentheses; that of another layer names it (`site:/tools/…`).
    """)
    yield from ("", "| reason | rule | given when | what to do |", "|---|---|---|---|")
    for reason, (rule, when, cure) in glossary.REASONS.items():
        yield f"| {reason} | {rule} | {when} | {cure} |"


def exit_codes() -> str:
    return page("Exit codes", _exit_codes())


def _exit_codes() -> Iterator[str]:
    yield "What a command ends with. What went wrong is on standard error: `error:` and, on a line of its own, `hint:`."
    yield from ("", "| code | |", "|---|---|")
    yield from (f"| {code} | {words} |" for code, words in EXITS.items())
