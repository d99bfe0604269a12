"""Settings: flag > `KEYID_GATEWAY_*` > settings file > default, each from one table.

`OPTIONS` is the only description of a setting: its flag, its environment variable and its key in the settings file
derive from its name; the help of `run`, the reference in the README and the reading below derive from the table. A name
that nobody knows, in the file or in the environment, is an error: a setting that is accepted and not in force would be
worse than none.

Header values may be secrets. They are read here, from where the settings say, and are never part of any text.
"""

import getpass
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast, get_args
from urllib.parse import urlsplit

import platformdirs

from gateway.credentials.client import Client, Flow
from gateway.errors import ConfigError, UsageError
from gateway.questions import KINDS
from gateway.state.arguments import HOWS, Keep, Keeping, Redact, keep, redact

APP: Final = "keyid-gateway"
PREFIX: Final = "KEYID_GATEWAY_"
LEVELS: Final = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True)
class Header:
    """One header for the upstream. `literal` says that its value stood in the settings themselves."""

    name: str
    value: str = field(repr=False)
    literal: bool


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that `run` may be told. Times in seconds, sizes in bytes."""

    upstream: str
    policy: str | None
    project_policy: Path | None
    grant: str
    state: Path
    header: tuple[Header, ...]
    switch_off: frozenset[str]
    log_level: str
    log_file: Path | None
    connect_timeout: float
    request_timeout: float
    call_timeout: float
    call_ceiling: float
    idle_timeout: float
    max_message_bytes: int
    max_depth: int
    audit_arguments: tuple[Keep, ...]
    audit_redact: tuple[Redact, ...]
    sign_in: bool
    oauth_client_id: str | None
    oauth_client_secret: str | None = field(repr=False)
    oauth_client_key: str | None = field(repr=False)
    oauth_client_metadata_url: str | None
    oauth_issuer: str | None
    oauth_scopes: str | None
    oauth_flow: Flow
    oauth_redirect_port: int
    config_dir: Path

    @property
    def oauth(self) -> Client | None:
        """This gateway as an OAuth client; None where a header of the settings says who it is."""
        if any(header.name.lower() == "authorization" for header in self.header):
            return None
        return Client(
            self.upstream,
            self.state.parent / "credentials",
            self.oauth_client_id,
            self.oauth_client_secret,
            self.oauth_client_key,
            self.oauth_client_metadata_url,
            self.oauth_issuer,
            self.oauth_scopes,
            self.oauth_redirect_port,
            self.oauth_flow,
        )

    @property
    def server(self) -> str:
        """The upstream's address without its query: what counters and records name it by."""
        return urlsplit(self.upstream)._replace(query="", fragment="").geturl()

    @property
    def keeping(self) -> Keeping:
        """What the audit log keeps of arguments."""
        return Keeping(self.audit_arguments, self.audit_redact)

    @property
    def site_policies(self) -> tuple[Path, ...]:
        """Where an administrator may keep a policy that every call needs.

        A variable of the environment can move the folder on some platforms; the one that it cannot move counts as well.
        """
        folders = [Path(platformdirs.site_config_dir(APP))]
        if sys.platform not in ("win32", "darwin"):
            folders.append(Path("/etc/xdg") / APP)
        return tuple(folder / f"policy.{ending}" for folder in dict.fromkeys(folders) for ending in ("json", "yaml"))

    @property
    def user_policy(self) -> Path:
        """The policy that is in force where no flag names one."""
        return self.config_dir / "policy.json"


@dataclass(frozen=True, slots=True)
class Option:
    """One setting. `read` turns the text of a flag or a variable into its value, or raises `ValueError` with why."""

    name: str
    metavar: str
    help: str
    read: Callable[[str], object]
    default: Callable[[Path], object]
    repeatable: bool = False
    switch: bool = False
    """Whether the flag alone says it, without a value."""
    secret: bool = False
    """Whether the value must not stand on a command line or in the settings file, only where it is read from."""
    shown_default: str = ""

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        return PREFIX + self.name.upper()


# --- reading one value ------------------------------------------------------------------------------------------------


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("its port or its address cannot be read") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ValueError("an http:// or https:// URL is needed")
    if not parts.hostname.isascii():
        raise ValueError("a host name beyond ASCII is written in its `xn--` form")
    if parts.username or parts.password:
        raise ValueError("credentials do not belong in the URL; use `--header 'Authorization: env:NAME'`")
    return text


def _path(text: str) -> Path:
    if not text or not text.isprintable():
        raise ValueError("a path of printable characters is needed")
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError:
        raise ValueError("there is no such user") from None


def _policy(text: str) -> str:
    if text.startswith("builtin:") and text != "builtin:recommended":
        raise ValueError("the only built-in policy is `builtin:recommended`")
    return text if text.startswith("builtin:") else str(_path(text))


def _grant(text: str) -> str:
    if not text or len(text) > 200 or not text.isprintable():
        raise ValueError("a grant is a name of 1 to 200 printable characters")
    return text


def _seconds(text: str) -> float:
    value = float(text) if text.replace(".", "", 1).isdigit() else -1.0
    if not 0 < value <= 86_400:
        raise ValueError("a number of seconds above 0 and up to 86400 is needed")
    return value


def _count(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        value = int(text) if text.isdigit() and len(text) < 15 else -1
        if not low <= value <= high:
            raise ValueError(f"a whole number from {low} to {high} is needed")
        return value

    return read


def _level(text: str) -> str:
    if text.lower() not in LEVELS:
        raise ValueError("one of " + ", ".join(f"`{level}`" for level in LEVELS) + " is needed")
    return text.lower()


def _kinds(text: str) -> frozenset[str]:
    kinds = frozenset(kind.strip() for kind in text.split(","))
    if not kinds <= KINDS.keys():
        raise ValueError("one or more of " + ", ".join(f"`{kind}`" for kind in KINDS) + " are needed, with commas")
    return kinds


def _header(text: str) -> Header:
    name, colon, value = text.partition(":")
    name, value = name.strip(), value.strip()
    if not colon or not name.isascii() or not all(char.isalnum() or char in "!#$%&'*+-.^_`|~" for char in name or " "):
        raise ValueError(
            "a header is written `Name: value`, `Name: env:VARIABLE`, `Name: file:PATH` or `Name: keyring:SERVICE/NAME`"
        )
    if value.startswith("${") and value.endswith("}"):
        raise ValueError(f"the value of header `{name}` is a variable that the client did not put in; write `env:NAME`")
    kind, mark, where = value.partition(":")
    literal = not (mark and kind in _PLACES)
    if not literal:
        value = _secret(kind, where)
    if not value or not value.isprintable() or not value.isascii():
        raise ValueError(f"the value of header `{name}` is empty or has characters that a header cannot carry")
    return Header(name, value, literal)


def _secret(kind: str, where: str) -> str:
    if kind == "env":
        value = os.environ.get(where)
        if value is None:
            raise ValueError(f"the environment variable `{where}` is not set")
        return value.strip()
    if kind == "keyring":
        from gateway.credentials import vault  # only where a value is there: the keyring takes its time

        try:
            return vault.value(where).strip()
        except ConfigError as error:
            raise ValueError(error.message) from None
    try:
        return Path(where).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the file `{where}` cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _optional(text: str) -> str | None:
    if not text.isprintable() or not text.isascii() or len(text) > 2000:
        raise ValueError("a text of printable ASCII characters is needed")
    return text.strip() or None


def _optional_url(text: str) -> str | None:
    return _url(text) if text else None


def _client_secret(text: str) -> str | None:
    kind, mark, where = text.partition(":")
    value = _secret(kind, where) if mark and kind in _PLACES else text
    return _optional(value)


def _client_key(text: str) -> str | None:
    kind, mark, where = text.partition(":")
    value = _secret(kind, where) if mark and kind in _PLACES else text
    if value and "PRIVATE KEY-----" not in value:
        raise ValueError("a private key in PEM form is needed")
    return value or None


def _flow(text: str) -> Flow:
    for flow in get_args(Flow):
        if text == flow:
            return cast(Flow, flow)
    raise ValueError("`code` (a person signs in) or `client_credentials` (no person) is needed")


def _switch(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0"):
        raise ValueError("`true` or `false` is needed")
    return text.lower() in ("true", "1")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "default"


# --- the table --------------------------------------------------------------------------------------------------------

OPTIONS: Final[tuple[Option, ...]] = (
    Option("upstream", "URL", "the MCP server to guard, over streamable HTTP", _url, lambda _: "https://keyid.ai/mcp",
           shown_default="https://keyid.ai/mcp"),
    Option("policy", "FILE", "the policy document; `builtin:recommended` names the built-in pack", _policy,
           lambda _: None, shown_default="policy.json in the config folder, else the built-in pack"),
    Option("project_policy", "FILE", "a policy of the folder the agent works in, which can only restrict further; "
           "`.keyid-gateway/policy.json` names the usual place", _path, lambda _: None, shown_default="none"),
    Option("grant", "NAME", "the identity whose limits are counted and whose calls are recorded", _grant,
           lambda _: _user(), shown_default="the user of this operating system"),
    Option("state", "FILE", "the state file: counters and audit log, shared by all gateways of a user", _path,
           lambda _: Path(platformdirs.user_state_dir(APP)) / "state.db", shown_default="in the state folder"),
    Option("header", "'NAME: VALUE'",
           "a header for the upstream; `env:VARIABLE`, `file:PATH` and `keyring:SERVICE/NAME` read the value",
           _header, lambda _: (), repeatable=True, shown_default="none"),
    Option("switch_off", "KINDS", "what the upstream may not ask of the client: " + ", ".join(KINDS), _kinds,
           lambda _: frozenset(), shown_default="none"),
    Option("log_level", "LEVEL", "how much is logged: " + ", ".join(LEVELS), _level, lambda _: "info",
           shown_default="info"),
    Option("log_file", "FILE", "the rotating log file, beside standard error", _path,
           lambda _: Path(platformdirs.user_log_dir(APP)) / "gateway.log", shown_default="in the log folder"),
    Option("connect_timeout", "SECONDS", "how long connecting to the upstream may take", _seconds, lambda _: 10.0,
           shown_default="10"),
    Option("request_timeout", "SECONDS", "how long the upstream may take to answer anything but a call", _seconds,
           lambda _: 45.0, shown_default="45"),
    Option("call_timeout", "SECONDS", "how long the upstream may take to answer a call; progress begins the time anew",
           _seconds, lambda _: 330.0, shown_default="330"),
    Option("call_ceiling", "SECONDS", "how long the upstream may take in all, whatever progress it reports", _seconds,
           lambda _: 3600.0, shown_default="3600"),
    Option("idle_timeout", "SECONDS", "how long the stream of an answer may carry nothing at all", _seconds,
           lambda _: 330.0, shown_default="330"),
    Option("max_message_bytes", "BYTES", "the largest message, in both directions", _count(1024, 2**30),
           lambda _: 16 * 2**20, shown_default="16777216"),
    Option("max_depth", "LEVELS", "how deep a message may nest", _count(8, 500), lambda _: 128, shown_default="128"),
    Option("audit_arguments", "[TOOL=]HOW", "what the audit log keeps of arguments: " + ", ".join(HOWS), keep,
           lambda _: (), repeatable=True, shown_default="digest"),
    Option("audit_redact", "[TOOL=]PATH", "what it never keeps of them: a place like `args.to`", redact,
           lambda _: (), repeatable=True, shown_default="none"),
    Option("sign_in", "", "open a browser where the upstream wants a sign-in (OAuth)", _switch, lambda _: False,
           switch=True, shown_default="off"),
    Option("oauth_client_id", "ID", "the client that is registered at the authorization server", _optional,
           lambda _: None, shown_default="none: the gateway registers itself"),
    Option("oauth_client_secret", "PLACE", "where its secret is: `env:VARIABLE`, `file:PATH`, `keyring:SERVICE/NAME`",
           _client_secret, lambda _: None, secret=True, shown_default="none"),
    Option("oauth_client_key", "PLACE", "where its private key (PEM) is, which signs for `client_credentials`",
           _client_key, lambda _: None, secret=True, shown_default="none"),
    Option("oauth_client_metadata_url", "URL", "the client metadata document that stands for a registration",
           _optional_url, lambda _: None, shown_default="none"),
    Option("oauth_issuer", "URL", "the only authorization server that is trusted, and that is shown the secret",
           _optional_url, lambda _: None, shown_default="the one that the upstream names first"),
    Option("oauth_scopes", "'SCOPE SCOPE'", "scopes to ask for besides those that the upstream names", _optional,
           lambda _: None, shown_default="none"),
    Option("oauth_flow", "FLOW", "who signs in: `code` (a person) or `client_credentials` (the client itself)",
           _flow, lambda _: "code", shown_default="code"),
    Option("oauth_redirect_port", "PORT", "where on this machine the browser comes back to; 0 takes any free port",
           _count(0, 65535), lambda _: 0, shown_default="0"),
)  # fmt: skip
_BY_FLAG: Final = {option.flag: option for option in OPTIONS}
_BY_NAME: Final = {option.name: option for option in OPTIONS}
_PLACES: Final = ("env", "file", "keyring")
"""Where a secret may be read from."""
_OTHER_VARIABLES: Final = frozenset({PREFIX + "CONFIG_DIR"})


# --- putting them together --------------------------------------------------------------------------------------------


def parse_flags(arguments: Sequence[str]) -> dict[str, list[str]] | None:
    """The flags of `run`, or None where there is anything but settings (then `cli` reads them, and explains)."""
    found: dict[str, list[str]] = {}
    rest = list(arguments)
    while rest:
        flag, equals, value = rest.pop(0).partition("=")
        option = _BY_FLAG.get(flag)
        if option is None or (option.name in found and not option.repeatable):
            return None
        if option.switch and not equals:
            value, equals = "true", "="
        if not (equals or rest):
            return None
        found.setdefault(option.name, []).append(value if equals else rest.pop(0))
    return found


def load(flags: Mapping[str, Sequence[str]], environment: Mapping[str, str]) -> Settings:
    """The settings in force. Raises `UsageError` for a flag, `ConfigError` for a variable or the settings file."""
    config_dir = Path(environment.get(PREFIX + "CONFIG_DIR") or platformdirs.user_config_dir(APP))
    from_file = _read_file(config_dir / "settings.toml")
    _check_environment(environment)
    values: dict[str, object] = {"config_dir": config_dir}
    for option in OPTIONS:
        given = flags.get(option.name)
        variable = environment.get(option.variable)
        if given:
            _check_places(option, given, UsageError, option.flag)
            values[option.name] = _value(option, given, UsageError, option.flag)
        elif variable:
            values[option.name] = _value(option, [variable], ConfigError, option.variable)
        elif option.name in from_file:
            _check_places(option, from_file[option.name], ConfigError, f"settings.toml: {option.name}")
            values[option.name] = _value(option, from_file[option.name], ConfigError, f"settings.toml: {option.name}")
        else:
            values[option.name] = option.default(config_dir)
    return Settings(**values)  # type: ignore[arg-type]  # the table above is the only writer, each value by its own reader


def _value(option: Option, texts: Sequence[str], error: type[ConfigError | UsageError], where: str) -> object:
    try:
        read = [option.read(_put_in(text)) for text in texts]
    except ValueError as reason:
        raise error(f"{where}: {reason}", f"{option.flag} {option.metavar}: {option.help}") from None
    return tuple(read) if option.repeatable else read[-1]


def _check_places(option: Option, texts: Sequence[str], error: type[ConfigError | UsageError], where: str) -> None:
    """A secret is named, not written, wherever others may read it."""
    if option.secret and not all(text.partition(":")[0] in _PLACES for text in texts if text):
        raise error(
            f"{where}: a secret does not belong here",
            f"name its place (`file:PATH`, `keyring:SERVICE/NAME`, `env:VARIABLE`), or set {option.variable}",
        )


def _put_in(text: str) -> str:
    """A value as it is, unless it is a variable that some clients do not put in."""
    if text.startswith("${") and text.endswith("}"):
        raise ValueError("a variable that the client did not put in: write the value itself")
    return text


def _read_file(path: Path) -> dict[str, list[str]]:
    """The settings file as texts, or nothing where there is none."""
    try:
        if not path.exists():
            return {}
        import tomllib  # only where there is a file: it costs a tenth of the start

        with path.open("rb") as stream:
            document = tomllib.load(stream)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"`{path}` cannot be read: {reason}", "check its owner and mode") from None
    except ValueError as error:  # not TOML, or not UTF-8
        raise ConfigError(f"`{path}` is not valid TOML: {error}", "one `name = value` a line") from None
    for name in document:
        if name not in _BY_NAME:
            raise ConfigError(f"`{path}`: unknown setting `{name}`", _suggest(name, _BY_NAME))
    return {name: _texts(path, name, value) for name, value in document.items()}


def _texts(path: Path, name: str, value: object) -> list[str]:
    items = value if isinstance(value, list) else [value]
    if isinstance(value, list) and not _BY_NAME[name].repeatable:
        raise ConfigError(f"`{path}`: `{name}` takes one value, not a list")
    if _BY_NAME[name].switch and isinstance(value, bool):
        return [str(value).lower()]
    if not all(isinstance(item, str | int | float) and not isinstance(item, bool) for item in items):
        raise ConfigError(f"`{path}`: `{name}` must be a text or a number")
    return [str(item) for item in items]


def _check_environment(environment: Mapping[str, str]) -> None:
    known = {option.variable for option in OPTIONS} | _OTHER_VARIABLES
    for name in environment:
        if name.startswith(PREFIX) and name not in known:
            raise ConfigError(f"unknown setting `{name}` in the environment", _suggest(name, known))


def _suggest(name: str, known: "Mapping[str, object] | set[str] | frozenset[str]") -> str:
    from difflib import get_close_matches  # only for a mistake

    close = get_close_matches(name, known, n=1)
    return f"did you mean `{close[0]}`?" if close else "known are " + ", ".join(f"`{item}`" for item in sorted(known))
