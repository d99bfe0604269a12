"""The built-in recommended pack for KeyID: what is in force where nobody has written a policy.

It begins as the published one does: default deny; reading is free, writes 30 a minute, executes 10 a minute, for each
grant; what destroys is hidden. It is stricter where that is careless: where a call hands out a live credential, carries
data out, goes on working after the session, costs money, or opens an address of somebody else's choosing. So nothing
here lets through what the published pack refuses (a test compares them).

How the numbers were chosen: ask what a busy day of a person with an agent needs, and take several times that; then ask
what an attacker wants who has got a word in (a mail with instructions in it), and be far below it. Where the two meet
only over time there are two windows: the short one stops a burst at once, the long one a patient trickle. The same call
again and again is an agent that is stuck (`repeat`): soon for what changes something, late for what only looks.

What numbers cannot do: one mail, one page, one file is enough to carry one secret out. The rules narrow that, and the
audit log shows it; whoever wants more writes a policy of their own (`keyid-gateway policy init`).

Nothing heavy is imported before `policy` is called: this module is on the way to the first answer of `run`.
"""

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from gateway.jsonrpc import Json
from gateway.keyid import pack, reading, writing
from gateway.keyid.pack import Limit, Loop, Tool

if TYPE_CHECKING:
    from gateway.policy import Policy

NAME: Final = "builtin:recommended"

DESCRIPTION: Final = (
    "Recommended for KeyID: reading is open, writes and executes are limited; live credentials, outbound mail, lasting "
    "automation and public pages are limited tightly; what destroys is hidden; what is not named here is refused."
)

BRAKES: Final = (
    Limit(120, "minute", "an agent that thinks between its calls makes a dozen a minute; two a second is a loop"),
    Limit(1500, "hour", "a call every 2.4 seconds for a whole hour is a harvest, not work"),
)
"""All calls together. Reading is free, but not without end."""

LOOP: Final = Loop(
    40, 60, "polling an inbox or a sign-up is a look every two or three seconds; every one and a half is a loop"
)
"""All calls that are alike: what waits for a code or a mail looks again and again, and must not be in its own way."""


def _once(tool: Tool) -> Tool:
    """A tool that changes something: the very same change is not made again and again."""
    return replace(tool, restrictions=(*tool.restrictions, writing.LOOP))


TOOLS: Final[tuple[Tool, ...]] = (
    *reading.TOOLS,
    *(_once(tool) for tool in writing.WRITE),
    *(tool if tool.name in writing.WAITS else _once(tool) for tool in writing.EXECUTE),
)
"""What is named and may be called, by category."""

HIDDEN: Final = ("delete_contact", "delete_cron", "delete_file", "delete_page_file")
"""What destroys. Hidden, and named nowhere else: whoever takes one out of `hide` must also list it to open it."""


def document() -> dict[str, Json]:
    """The pack as a policy document, its tools ordered by category."""
    return pack.document(TOOLS, description=DESCRIPTION, hide=HIDDEN, brakes=BRAKES, loop=LOOP)


def text() -> str:
    """The document as it is written to a file."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def policy() -> "Policy":
    """The pack, compiled."""
    from gateway.policy import load

    return load(text().encode(), name=NAME)
