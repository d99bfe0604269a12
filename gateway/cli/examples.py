"""What stands at the end of every command's help: how it is typed, what it ends with, where to read on.

The examples are here together, so that they are of one world (one server, one file, one person), and so that a test can
hold each against the command it is for.
"""

from collections.abc import Mapping
from typing import Final

import click

EXAMPLES: Final[Mapping[str, tuple[str, ...]]] = {
    "demo": ("keyid-gateway demo",),
    "uninstall": ("keyid-gateway uninstall claude-desktop --dry-run",),
    "tools": ("keyid-gateway tools", "keyid-gateway tools --effect denied --profile work"),
    "policy init": ("keyid-gateway policy init", "keyid-gateway policy init --live mine.yaml --profile work"),
    "policy check": ("keyid-gateway policy check mine.json", "keyid-gateway policy check mine.json --live --strict"),
    "policy replay": ("keyid-gateway policy replay mine.json --since 7d",),
    "policy diff": ("keyid-gateway policy diff builtin:recommended mine.json",),
    "policy fmt": ("keyid-gateway policy fmt mine.json", "keyid-gateway policy fmt --check mine.json"),
    "policy scan": ("keyid-gateway policy scan --profile work",),
    "pins list": ("keyid-gateway pins list",),
    "pins diff": ("keyid-gateway pins diff", "keyid-gateway pins diff send_email"),
    "pins accept": ("keyid-gateway pins accept send_email", "keyid-gateway pins accept --all"),
    "pins forget": ("keyid-gateway pins forget send_email",),
    "status": ("keyid-gateway status", "keyid-gateway status --watch"),
    "doctor": ("keyid-gateway doctor", "keyid-gateway doctor --profile work"),
    "approvals list": ("keyid-gateway approvals list",),
    "approvals show": ("keyid-gateway approvals show 7K3M",),
    "approvals approve": ("keyid-gateway approvals approve 7K3M",),
    "approvals deny": ("keyid-gateway approvals deny 7K3M --for 1h --reason 'not to this address'",),
    "approvals pin set": ("keyid-gateway approvals pin set",),
    "approvals pin remove": ("keyid-gateway approvals pin remove",),
    "limits": ("keyid-gateway limits", "keyid-gateway limits --grant work --json"),
    "stop": ("keyid-gateway stop --reason 'it mails the wrong people'", "keyid-gateway stop --now"),
    "resume": ("keyid-gateway resume",),
    "grants list": ("keyid-gateway grants list",),
    "grants create": ("keyid-gateway grants create intern --policy read-only.json",),
    "grants rename": ("keyid-gateway grants rename intern kim",),
    "grants revoke": ("keyid-gateway grants revoke intern --reason 'left the team'",),
    "grants restore": ("keyid-gateway grants restore intern",),
    "audit tail": ("keyid-gateway audit tail -n 20", "keyid-gateway audit tail --follow"),
    "audit query": (
        "keyid-gateway audit query --since 7d --effect deny",
        "keyid-gateway audit query --tool send_email",
    ),
    "audit show": ("keyid-gateway audit show a2043bc7b4923a6a",),
    "audit stats": ("keyid-gateway audit stats --since 30d",),
    "audit export": ("keyid-gateway audit export --format csv --since 7d --output calls.csv",),
    "audit verify": ("keyid-gateway audit verify", "keyid-gateway audit verify --head heads.jsonl"),
    "audit head": ("keyid-gateway audit head --json >> heads.jsonl",),
    "audit key": ("keyid-gateway audit key > public.pem",),
    "audit prune": ("keyid-gateway audit prune --older-than 90d",),
    "profiles list": ("keyid-gateway profiles list",),
    "profiles show": ("keyid-gateway profiles show work",),
    "profiles remove": ("keyid-gateway profiles remove work",),
    "login": ("keyid-gateway login --profile work", "keyid-gateway login --upstream https://mcp.example.com/mcp"),
    "whoami": ("keyid-gateway whoami --profile work",),
    "logout": ("keyid-gateway logout --profile work",),
    "standin": ("keyid-gateway standin --port 8000",),
}
"""By the words of the command; of the others, the help itself has some."""

CODES: Final = """\b
Exit codes: 0 done, 1 denied or a check failed, 2 wrong usage, 3 policy or
settings invalid, 4 the server failed, 5 the state file failed."""
READ_ON: Final = """\b
Read on: `keyid-gateway docs` has every setting, field, reason and code."""


def attach(command: click.Command, path: str = "") -> None:
    """Write the end of the help of a command, and of all below it; of one that has an end of its own, nothing."""
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            attach(inner, f"{path} {name}".strip())
    elif command.epilog is None:
        examples = EXAMPLES.get(path, ())
        word = "Example" if len(examples) == 1 else "Examples"
        block = "\n".join(("\b", f"{word}:", *(f"  {line}" for line in examples))) if examples else ""
        command.epilog = "\n\n".join(filter(None, (block, CODES, READ_ON)))
