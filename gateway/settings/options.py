"""The table of settings.

`OPTIONS` is the only description of a setting: its flag, its environment variable and its key in the settings file
derive from its name; the help of `run`, the reference in the README and the reading of all sources derive from the
table.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import platformdirs

from gateway.questions import KINDS
from gateway.settings.model import APP, KEYID, usual_state
from gateway.settings.values import (
    LEVELS,
    client_key,
    client_name,
    client_secret,
    count,
    desktop,
    flow,
    grant,
    header,
    kinds,
    level,
    listing,
    metadata_url,
    optional,
    optional_url,
    path,
    pins,
    policy,
    profile,
    seconds,
    switch,
    url,
    user,
    wait,
)
from gateway.state.arguments import HOWS, keep, redact

PREFIX: Final = "KEYID_GATEWAY_"
KEYID_URL: Final = "https://keyid.ai/mcp"


@dataclass(frozen=True, slots=True)
class Option:
    """One setting. `read` turns the text of a flag or a variable into its value, or raises `ValueError` with why."""

    name: str
    metavar: str
    help: str
    read: Callable[[str], object]
    shown_default: str
    """The default in words; where `make` is None, it is the text that `read` makes the default of."""
    make: Callable[[], object] | None = None
    repeatable: bool = False
    switch: bool = False
    """Whether the flag alone says it, without a value."""
    secret: bool = False
    """Whether the value must not stand on a command line or in the settings file, only where it is read from."""

    @property
    def default(self) -> object:
        """What holds where nothing else is said. Never a list of one."""
        return self.read(self.shown_default) if self.make is None else self.make()

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        return PREFIX + self.name.upper()


def _nothing() -> None:
    """The default of what need not be."""


OPTIONS: Final[tuple[Option, ...]] = (
    Option("profile", "NAME", "the profile of the settings file to use: settings under one name", profile, KEYID),
    Option("upstream", "URL", "the MCP server to guard, over streamable HTTP", url, KEYID_URL),
    Option(
        "policy",
        "FILE",
        "the policy document; `builtin:recommended` names the built-in pack",
        policy,
        "policy.json in the config folder, else the built-in pack",
        _nothing,
    ),
    Option(
        "project_policy",
        "FILE",
        "a policy of the folder the agent works in, which can only restrict further; "
        "`.keyid-gateway/policy.json` names the usual place",
        path,
        "none",
        _nothing,
    ),
    Option(
        "grant",
        "NAME",
        "the identity whose limits are counted and whose calls are recorded",
        grant,
        "the user of this operating system",
        user,
    ),
    Option(
        "state",
        "FILE",
        "the state file: counters and audit log, shared by all gateways of a user; sign-ins are kept beside it",
        path,
        "in the state folder",
        usual_state,
    ),
    Option(
        "header",
        "'NAME: VALUE'",
        "a header for the upstream; `env:VARIABLE`, `file:PATH` and `keyring:SERVICE/NAME` read the value",
        header,
        "none",
        tuple,
        repeatable=True,
    ),
    Option(
        "switch_off",
        "KINDS",
        "what the upstream may not ask of the client: " + ", ".join(KINDS),
        kinds,
        "none",
        frozenset,
    ),
    Option(
        "list",
        "WHICH",
        "which tools are listed: `all` but the hidden, or only those that are `callable` at all under the policy",
        listing,
        "all",
    ),
    Option(
        "conceal_hidden",
        "",
        "refuse a hidden tool in the words of one that does not exist",
        switch,
        "off",
        bool,
        switch=True,
    ),
    Option(
        "pins",
        "MODE",
        "whether a tool that changed or is new, or changed instructions, wait for `keyid-gateway pins accept`: `off`, "
        "`warn` (says so in the log and records it) or `enforce` (refuses and does not list them)",
        pins,
        "warn",
    ),
    Option(
        "approval_wait",
        "SECONDS",
        "how long a call waits for a person's approval before it is answered that one is needed: less than the client "
        "waits for a call; 0 does not wait",
        wait,
        "45",
    ),
    Option(
        "approve_in_client",
        "CLIENT",
        "the name of a client that shows every question to a person, who then approves calls in it; a client that acts "
        "by itself could answer for its owner, so none is named by default",
        client_name,
        "none",
        tuple,
        repeatable=True,
    ),
    Option(
        "approve_desktop",
        "HOW",
        "what appears on this desktop when a person has to approve a call: `off`, `notify` (it says where to answer), "
        "`dialog` (a click answers, unless there is a PIN; whatever operates the screen can click too)",
        desktop,
        "notify",
    ),
    Option("log_level", "LEVEL", "how much is logged: " + ", ".join(LEVELS), level, "info"),
    Option(
        "log_file",
        "FILE",
        "the rotating log file, beside standard error",
        path,
        "in the log folder",
        lambda: Path(platformdirs.user_log_dir(APP)) / "gateway.log",
    ),
    Option("connect_timeout", "SECONDS", "how long connecting to the upstream may take", seconds, "10"),
    Option("request_timeout", "SECONDS", "how long the upstream may take to answer anything but a call", seconds, "45"),
    Option(
        "call_timeout",
        "SECONDS",
        "how long the upstream may take to answer a call; progress begins the time anew",
        seconds,
        "330",
    ),
    Option(
        "call_ceiling",
        "SECONDS",
        "how long the upstream may take in all, whatever progress it reports",
        seconds,
        "3600",
    ),
    Option("idle_timeout", "SECONDS", "how long the stream of an answer may carry nothing at all", seconds, "330"),
    Option("max_message_bytes", "BYTES", "the largest message, in both directions", count(1024, 2**30), "16777216"),
    Option("max_depth", "LEVELS", "how deep a message may nest", count(8, 500), "128"),
    Option(
        "audit_arguments",
        "[TOOL=]HOW",
        "what the audit log keeps of arguments: " + ", ".join(HOWS),
        keep,
        "digest",
        tuple,
        repeatable=True,
    ),
    Option(
        "audit_redact",
        "[TOOL=]PATH",
        "what it never keeps of them: a place like `args.to`",
        redact,
        "none",
        tuple,
        repeatable=True,
    ),
    Option(
        "sign_in", "", "open a browser where the upstream wants a sign-in (OAuth)", switch, "off", bool, switch=True
    ),
    Option(
        "oauth_client_id",
        "ID",
        "the client that is registered at the authorization server",
        optional,
        "none: the gateway registers itself",
        _nothing,
    ),
    Option(
        "oauth_client_secret",
        "PLACE",
        "where its secret is: `env:VARIABLE`, `file:PATH`, `keyring:SERVICE/NAME`",
        client_secret,
        "none",
        _nothing,
        secret=True,
    ),
    Option(
        "oauth_client_key",
        "PLACE",
        "where its private key (PEM) is, which signs for `client_credentials`",
        client_key,
        "none",
        _nothing,
        secret=True,
    ),
    Option(
        "oauth_client_metadata_url",
        "URL",
        "the client metadata document that stands for a registration",
        metadata_url,
        "none",
        _nothing,
    ),
    Option(
        "oauth_issuer",
        "URL",
        "the only authorization server that is trusted, and that is shown the secret",
        optional_url,
        "the one that the upstream names first",
        _nothing,
    ),
    Option(
        "oauth_scopes",
        "'SCOPE SCOPE'",
        "scopes to ask for besides those that the upstream names",
        optional,
        "none",
        _nothing,
    ),
    Option(
        "oauth_flow",
        "FLOW",
        "who signs in: `code` (a person) or `client_credentials` (the client itself)",
        flow,
        "code",
    ),
    Option(
        "oauth_redirect_port",
        "PORT",
        "where on this machine the browser comes back to; 0 takes any free port",
        count(0, 65535),
        "0",
    ),
)
