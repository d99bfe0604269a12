"""The story, act by act. Each act calls the gateway as an agent would, and checks what became of it.

An act is a function of the `Cast`, listed in `ACTS`; it gives a `Step`: what was asked, what came back, what was
expected. The cast remembers which calls were let through and which were not, so that the last acts can ask the
server's journal and the gateway's audit log whether that is what they saw.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias, cast

from gateway.cli import calls
from gateway.cli.demonstration.document import CODES_PER_MINUTE, document
from gateway.cli.demonstration.stage import Stage
from gateway.cli.demonstration.telling import (
    Arguments,
    Check,
    Reply,
    Step,
    as_reply,
    asked,
    brief,
    part,
    refusal,
    refused_by,
)
from gateway.cli.words import counted, latency, shown, tally
from gateway.jsonrpc import Json
from gateway.keyid import known_tools
from gateway.state import reading

_LOOKS: Final = 100
_LOOK_SECONDS: Final = 0.02


@dataclass(slots=True)
class Cast:
    """Who plays, and what happened so far."""

    stage: Stage
    passed: list[tuple[str, Arguments]] = field(default_factory=list)
    refused: list[tuple[str, Arguments]] = field(default_factory=list)

    async def call(self, tool: str, arguments: Arguments) -> Reply:
        """Call a tool through the gateway, as an agent does."""
        reply = as_reply(await self.stage.client.call_tool(tool, arguments))
        (self.passed if reply.decision is None else self.refused).append((tool, arguments))
        return reply


async def mirrored(cast_: Cast) -> Step:
    """The list that the client gets is the server's, without what is hidden."""
    listed = {tool.name for tool in (await cast_.stage.client.list_tools()).tools}
    announced = await cast_.stage.announced()
    policy = document()
    hidden = [str(name) for name in cast(list[Json], policy["hide"])]
    known = known_tools()
    categories = Counter(known[name].category.lower() if name in known else "unpublished" for name in announced)
    sorts = {sort: categories[sort] for sort in ("read", "write", "execute", "destructive", "unpublished")}
    return Step(
        "mirrored",
        f"{counted(len(announced), 'tool')} mirrored",
        (
            ("says", f"the server announces {tally(sorts)}"),
            ("says", f"the client sees {len(listed)}; the policy hides {len(hidden)}"),
        ),
        (
            Check("the server announces 64 tools", len(announced) == 64, str(len(announced))),
            Check(
                "the client sees all of them but the hidden",
                listed == set(announced) - set(hidden),
                ", ".join(sorted(listed ^ (set(announced) - set(hidden)))),
            ),
        ),
    )


async def allowed(cast_: Cast) -> Step:
    """A call that the policy allows."""
    reply = await cast_.call("get_identity", {})
    email = cast_.stage.standin.identity.email
    return Step(
        "allowed",
        "an allowed call",
        (("call", "get_identity {}"), ("answer", brief(reply))),
        (Check(f"the identity of {email} came back", reply.data.get("email") == email, brief(reply)),),
    )


async def sign_up(cast_: Cast) -> Step:
    """What the identity is for: signing up somewhere, with the code that arrives by mail."""
    started = await cast_.call("start_registration_session", {"service_name": "Example Forge"})
    session = str(part(started.data, "session").get("session_id"))
    waited = await cast_.call("wait_for_registration_artifact", {"session_id": session, "timeout_seconds": 5})
    code = str(part(waited.data, "artifact").get("value"))
    done = await cast_.call("complete_registration_session", {"session_id": session})
    status = part(done.data, "session").get("status")
    return Step(
        "sign_up",
        "a sign-up from beginning to end",
        (
            ("call", 'start_registration_session {"service_name": "Example Forge"}'),
            ("answer", f"session {session}"),
            ("call", f'wait_for_registration_artifact {{"session_id": "{session}", …}}'),
            ("answer", f"the mail came, its code is {code}"),
            ("call", f'complete_registration_session {{"session_id": "{session}"}}'),
            ("answer", f"status {status}"),
        ),
        (
            Check("a code arrived", waited.data.get("found") is True, brief(waited)),
            Check("the sign-up is completed", status == "completed", brief(done)),
        ),
    )


async def hidden(cast_: Cast) -> Step:
    """A hidden tool is not in the list, and refused all the same if it is called."""
    listed = {tool.name for tool in (await cast_.stage.client.list_tools()).tools}
    arguments: Arguments = {"key": "report.pdf"}
    reply = await cast_.call("delete_file", arguments)
    return Step(
        "hidden",
        "a hidden tool",
        (*asked("delete_file", arguments), *refusal(reply)),
        (
            Check("`delete_file` is not listed", "delete_file" not in listed, "listed"),
            refused_by(reply, "(hidden)"),
        ),
    )


async def denied_argument(cast_: Cast) -> Step:
    """One tool, three calls: what matters is what they say."""
    mail: Arguments = {"to": "ada@example.com", "subject": "Friday", "body": "Noon?"}
    blind: Arguments = {**mail, "bcc": ["eve@example.net"]}
    outside: Arguments = {**mail, "to": "eve@example.net"}
    good, secret, stranger = [await cast_.call("send_email", arguments) for arguments in (mail, blind, outside)]
    return Step(
        "denied_argument",
        "the same tool, other arguments",
        (
            *asked("send_email", mail),
            ("answer", f"sent as {part(good.data, 'message').get('message_id')}"),
            *asked("send_email", blind),
            *refusal(secret),
            *asked("send_email", outside),
            *refusal(stranger),
        ),
        (
            Check("the mail to a colleague went out", good.decision is None, brief(good)),
            refused_by(secret, "/tools/send_email/deny_if/0"),
            refused_by(stranger, "/tools/send_email/require/0"),
        ),
    )


async def limit(cast_: Cast) -> Step:
    """A few codes a minute are work; more are a harvest."""
    arguments: Arguments = {"totp_id": "totp_0001"}
    within = [await cast_.call("get_totp_code", arguments) for _ in range(CODES_PER_MINUTE)]
    over = await cast_.call("get_totp_code", arguments)
    wait = (over.decision or {}).get("retry_after_seconds")
    return Step(
        "limit",
        "a limit",
        (
            *asked("get_totp_code", arguments),
            *((("answer", f"{number}: code {reply.data.get('code')}")) for number, reply in enumerate(within, 1)),
            *refusal(over),
        ),
        (
            Check(
                f"{CODES_PER_MINUTE} codes were given",
                all(reply.decision is None for reply in within),
                ", ".join(map(brief, within)),
            ),
            refused_by(over, "/tools/get_totp_code/rate_limit"),
            Check("the agent learns when to come back", isinstance(wait, int) and 0 < wait <= 60, str(wait)),
        ),
    )


async def journal(cast_: Cast) -> Step:
    """The other side: the calls that really arrived at the server, read off the requests as they came in."""
    arrived = [call for entry in cast_.stage.standin.journal for call in _calls_in(str(entry.get("body", "")))]
    extra = [call for call in arrived if call not in cast_.passed]
    return Step(
        "journal",
        "what reached the server",
        (("says", f"{counted(len(arrived), 'call')}: {_names(arrived)}"),),
        (
            Check(
                f"the {len(cast_.passed)} allowed calls arrived, once each and unchanged",
                arrived == cast_.passed,
                _names(arrived),
            ),
            Check(f"nothing of the {len(cast_.refused)} refused calls arrived", not extra, _names(extra)),
        ),
    )


async def audit(cast_: Cast) -> Step:
    """Every judged call has its record."""
    found = _found(cast_)
    for _ in range(_LOOKS):  # what came of a call is written a moment behind its answer
        if any(call.record.kind == "decided" and call.settled is None for call in found):
            await asyncio.sleep(_LOOK_SECONDS)
            found = _found(cast_)
    passed = [call for call in found if call.settled is not None]
    refused = [call for call in found if call.record.kind == "refused"]
    return Step(
        "audit",
        "the audit log of all that",
        tuple(("", _line(call)) for call in found),
        (
            Check(
                f"{len(cast_.passed)} allowed calls are recorded, with what came of them",
                [call.record.tool for call in passed] == [name for name, _ in cast_.passed],
                str(len(passed)),
            ),
            Check(
                f"{len(cast_.refused)} refused calls are recorded, with the rule",
                [call.record.tool for call in refused] == [name for name, _ in cast_.refused],
                str(len(refused)),
            ),
        ),
    )


def _found(cast_: Cast) -> list[calls.JudgedCall]:
    with reading(cast_.stage.state) as opened:
        return calls.merged(calls.told(opened.audit.newest(1000)))


Act: TypeAlias = Callable[[Cast], Awaitable[Step]]
ACTS: Final[tuple[Act, ...]] = (mirrored, allowed, sign_up, hidden, denied_argument, limit, journal, audit)


# --- reading what happened --------------------------------------------------------------------------------------------


def _calls_in(body: str) -> list[tuple[str, Arguments]]:
    """The tool call that a request carried, if it carried one."""
    message = json.loads(body) if body else {}
    if not isinstance(message, dict) or message.get("method") != "tools/call":
        return []
    return [(message["params"]["name"], message["params"]["arguments"])]


def _names(made: Sequence[tuple[str, Arguments]]) -> str:
    counts = Counter(name for name, _ in made)
    return ", ".join(name if number == 1 else f"{name} ({number} times)" for name, number in counts.items()) or "none"


def _line(call: calls.JudgedCall) -> str:
    took = latency(call.settled.latency_ms) if call.settled is not None else ""
    became = shown(call.record.rule) if call.record.effect != "allow" else f"{shown(call.outcome):<9} {took:>7}"
    return f"{call.record.effect:<6} {shown(call.record.tool):<31} {became}"
