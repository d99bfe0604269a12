"""`call`: one judged call from a terminal."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import click

from gateway.catalogue import Catalogue
from gateway.cli import arguments, completion, logs, rehearsal
from gateway.cli.flags import REACHING, json_flag, with_settings
from gateway.cli.results import failed, lines, said
from gateway.cli.screen import document, note, say
from gateway.cli.words import shown
from gateway.errors import UpstreamError, UsageError, meant, typed
from gateway.jsonrpc import Json, Message, serialise
from gateway.policy import ToolCall
from gateway.replies import OWN_META
from gateway.settings import Settings
from gateway.state import lists

if TYPE_CHECKING:
    from gateway.cli.conversation import Conversation

HELP: Final = """Call TOOL once, judged as the calls of any client are, and print what it answers.

The policy in force decides, limits are charged, the audit log records it: this is `run` with you as the client. Ctrl-C
cancels the call. Where a person has to approve it, it is held, and what to do is said here.

ARGUMENTS is a JSON object; `@FILE` reads it from a file, `-` from standard input. Single ones are given with --arg:
what the tool's schema says is a text is taken as it stands, anything else as JSON if it is some. Arguments that do not
fit the schema are refused here, before the policy is asked; --as-is sends them on.

--dry-run decides without calling: nothing is sent, recorded or charged. The tool is taken as the server announced it
last, or as KeyID publishes it. `policy explain` says more.

\b
Examples:
  keyid-gateway call get_identity
  keyid-gateway call send_email --arg to=ada@example.com --arg subject=Hi \\
      --arg body='See you at ten.' --dry-run
  keyid-gateway call send_email @mail.json --profile work

\b
Exit code: 0 it was done (--dry-run: it would be allowed), 1 denied, 2 the
arguments do not fit, 4 the server failed, or the tool itself said so.

\b
--json: {"tool", "outcome": "ok", "denied", "tool error" or "error",
  "decision": null or {"effect", "rule", "reason", "retry_after_seconds",
  "decision_id"}, "message", "result": the tool's answer as it came, or null}
--dry-run --json: {"tool", "decision": {"effect", "rule", "reason",
  "message", "retry_after_seconds"}, "limits": [{"rule", "counter", "max",
  "window", "scope", "used", "resets_at"}]}"""
CLIENT: Final = "keyid-gateway call"
_MAX_PAGES: Final = 1000


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came of the call: exactly one of a result and an error. `known`: the tools that the gateway shows."""

    tool: str
    result: Mapping[str, Json] | None
    error: Json
    known: Sequence[str]

    @property
    def decision(self) -> Mapping[str, Json] | None:
        """Why the gateway refused; nobody else can say so in its name."""
        meta = (self.result or {}).get("_meta")
        decision = meta.get(f"{OWN_META}decision") if isinstance(meta, dict) else None
        return decision if isinstance(decision, dict) else None

    @property
    def outcome(self) -> str:
        if self.result is None:
            return "error"
        if self.decision is not None:
            return "denied"
        return "tool error" if self.result.get("isError") is True else "ok"

    @property
    def message(self) -> str:
        """What a refusal or an error says; empty where there is none."""
        if self.result is None:
            return said(self.error)
        content = self.result.get("content")
        first = content[0] if self.decision is not None and isinstance(content, list) and content else None
        return str(first.get("text", "")) if isinstance(first, dict) else ""


@click.command("call", cls=completion.Completed, help=HELP, short_help="call one tool, judged as any client's call is")
@click.argument("tool", shell_complete=completion.tools)
@click.argument("arguments_text", metavar="[ARGUMENTS]", required=False)
@click.option(
    "--arg",
    "pairs",
    metavar="KEY=VALUE",
    multiple=True,
    help="one argument; may be repeated",
    shell_complete=completion.arguments,
)
@click.option("--dry-run", is_flag=True, help="only decide: nothing is sent, recorded or charged")
@click.option("--as-is", is_flag=True, help="do not compare the arguments with the tool's schema")
@with_settings("policy", "project_policy", "grant", *REACHING)
@json_flag
def command(
    settings: Settings,
    *,
    tool: str,
    arguments_text: str | None,
    pairs: tuple[str, ...],
    dry_run: bool,
    as_is: bool,
    as_json: bool,
) -> int:
    """The command; its help is `HELP`."""
    wanted = _Wanted(tool, arguments_text, pairs, as_is)
    if dry_run:
        return _dry_run(settings, wanted, as_json=as_json)
    logs.start(settings.log_level, settings.log_file, least_said="error")
    try:
        answer = asyncio.run(_call(settings, wanted))
    finally:
        logs.stop()
    if as_json:
        document(_data(answer))
    else:
        _show(answer)
    return {"ok": 0, "denied": 1}.get(answer.outcome, UpstreamError.exit_code)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The call as it was typed."""

    tool: str
    text: str | None
    pairs: tuple[str, ...]
    as_is: bool

    def arguments(self, catalogue: Catalogue | None) -> dict[str, Json]:
        """Its arguments. Raises `UsageError` where they make no sense."""
        schema = None if catalogue is None else catalogue.input_schema(self.tool)
        return arguments.given(self.text, self.pairs, schema)

    def fault(self, found: Mapping[str, Json], catalogue: Catalogue | None) -> UsageError | None:
        """What of the arguments does not fit what the server announces of the tool."""
        schema = None if catalogue is None or self.as_is else catalogue.facts(self.tool).schema
        fault = schema.fault(found) if schema is not None and schema.cause is None else None
        if catalogue is None or fault is None:
            return None
        return UsageError(
            f"the arguments do not fit `{shown(self.tool, 128)}`: {shown(fault)}",
            f"{_taken(catalogue.input_schema(self.tool))}; --as-is sends them all the same",
        )


def _taken(schema: Mapping[str, Json] | None) -> str:
    """Which arguments a tool takes, those that it requires first."""
    described = (schema or {}).get("properties")
    properties = list(described) if isinstance(described, dict) else []
    listed = (schema or {}).get("required")
    required = [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []
    names = [f"`{shown(name, 40)}` (required)" for name in required]
    names += [f"`{shown(name, 40)}`" for name in properties if name not in required]
    return f"it takes {', '.join(names)}" if names else "it takes none"


async def _call(settings: Settings, wanted: _Wanted) -> _Answer:
    from gateway.cli.conversation import conversation  # here, because it is the whole gateway

    async with conversation(settings, _heard) as talk:
        await talk.open(CLIENT)
        catalogue = await _listed(talk)
        found = wanted.arguments(catalogue)
        fault = wanted.fault(found, catalogue)
        if fault is not None:
            raise fault
        params: dict[str, Json] = {"name": wanted.tool, "arguments": found, "_meta": {"progressToken": "call"}}
        answer = await talk.ask("tools/call", params)
    result = answer.get("result")
    return _Answer(wanted.tool, result if isinstance(result, dict) else None, answer.get("error"), catalogue.names())


async def _listed(talk: "Conversation") -> Catalogue:
    """The tools as the gateway shows them. Raises `UpstreamError`."""
    catalogue, cursor = Catalogue(), None
    for _ in range(_MAX_PAGES):
        answer = await talk.ask("tools/list", {} if cursor is None else {"cursor": cursor})
        page = answer.get("result")
        if not isinstance(page, dict):
            raise failed(answer.get("error"))
        catalogue.page(cursor, page)
        following = page.get("nextCursor")
        if not isinstance(following, str):
            return catalogue
        cursor = following
    raise UpstreamError(f"the list of tools has more than {_MAX_PAGES} pages")


def _heard(message: Message) -> None:
    """Progress is said as it comes: that of the tool, and that somebody has to approve the call."""
    words = message.params.get("message")
    if message.method == "notifications/progress" and isinstance(words, str):
        note(f"… {shown(words, 300)}")


def _data(answer: _Answer) -> Mapping[str, object]:
    return {
        "tool": answer.tool,
        "outcome": answer.outcome,
        "decision": None if answer.decision is None else _plain(dict(answer.decision)),
        "message": answer.message,
        "result": None if answer.decision is not None or answer.result is None else _plain(dict(answer.result)),
    }


def _plain(value: Json) -> object:
    """The value as `json` writes it."""
    import json

    return json.loads(serialise(value))


def _show(answer: _Answer) -> None:
    decision = answer.decision
    if answer.result is None:
        note(f"error: {shown(answer.message)}")
        return
    if decision is None:
        for line in lines(answer.result):
            say(line)
        if answer.outcome == "tool error":
            note(f"error: `{shown(answer.tool, 128)}` says that it failed")
        return
    say(shown(answer.message))
    say(f"rule: {shown(str(decision.get('rule')))}")
    if decision.get("reason") == "unknown tool":
        _say_meant(answer.tool, answer.known)
    elif decision.get("reason") != "approval":  # whose message says who does what
        explain_it = typed("keyid-gateway", "policy", "explain", shown(answer.tool, 128))
        say(f"next: `{explain_it}` says what decides")
        say(f"      `keyid-gateway audit show {shown(str(decision.get('decision_id')))}` has this call")


def _say_meant(tool: str, known: Sequence[str]) -> None:
    close = meant(tool, known)
    note(f"hint: did you mean `{shown(close)}`?" if close else "hint: `keyid-gateway tools` lists what there is")


def _dry_run(settings: Settings, wanted: _Wanted, *, as_json: bool) -> int:
    catalogue = lists.last(settings.state, settings.server) or rehearsal.published(wanted.tool)
    call = ToolCall(wanted.tool, wanted.arguments(catalogue))
    fault = wanted.fault(call.arguments, catalogue)
    if fault is not None:
        note(f"note: {fault.message}: the call would not be sent")
    found = rehearsal.decided(settings, call)
    if as_json:
        document(rehearsal.as_data(found))
    else:
        rehearsal.show(found)
        if catalogue is not None and wanted.tool not in catalogue:
            note("note: the server has not announced this tool")
            _say_meant(wanted.tool, catalogue.names())
    return 0 if found.decision.effect in ("allow", "observe") else 1
