"""Where settings come from: flag > `KEYID_GATEWAY_*` > profile > rest of the settings file > default.

A profile is a table of the settings file, `[profiles.NAME]`, and which one is in use is a setting itself. `keyid` is
there without being written: where it is named, its address goes before that of the rest of the file; where none is
named, it is the default of everything else.

A name that nobody knows, in the file or in the environment, is an error: a setting that is accepted and not in force
would be worse than none.

A credential belongs to the server beside which it was written. Where another one is in force, what the same table says
of headers and of OAuth is left out: else `--upstream` would hand a profile's token to whoever is named there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias
from urllib.parse import urlsplit

import platformdirs

from gateway.errors import ConfigError, GatewayError, UsageError, meant
from gateway.settings.file import FILE, SettingsFile, Texts, read, suggest
from gateway.settings.model import APP, KEYID, Settings
from gateway.settings.options import KEYID_URL, OPTIONS, PREFIX, Option
from gateway.settings.values import NotThere, is_place

BUILT_IN: Final[Mapping[str, Texts]] = {KEYID: {"upstream": (KEYID_URL,)}}
"""The profiles that nobody has to write."""
Origin: TypeAlias = Literal["flag", "environment", "profile", "file", "default"]

_BY_FLAG: Final = {option.flag: option for option in OPTIONS}
_BY_NAME: Final = {option.name: option for option in OPTIONS}
_NOT_THERE: Final = (
    "it has to be there when the gateway starts; or name another place: "
    "`env:VARIABLE`, `file:PATH`, `keyring:SERVICE/NAME`"
)
_OTHER_VARIABLES: Final = frozenset({PREFIX + "CONFIG_DIR"})


@dataclass(frozen=True, slots=True)
class Found:
    """What was said of one setting, as it was written, and where: in the words of an error about it."""

    option: Option
    texts: tuple[str, ...]
    """Empty where nobody said anything: then the default holds."""
    origin: Origin
    where: str

    @property
    def value(self) -> object:
        """What is in force. Raises `UsageError` for a flag, `ConfigError` for anything else that makes no sense."""
        option, error = self.option, UsageError if self.origin == "flag" else ConfigError
        if not self.texts:
            return option.default
        if option.secret and self.origin != "environment" and not all(map(is_place, filter(None, self.texts))):
            raise error(
                f"{self.where}: a secret does not belong here",
                f"name its place (`file:PATH`, `keyring:SERVICE/NAME`, `env:VARIABLE`), or set {option.variable}",
            )
        try:
            read_texts = [option.read(_put_in(text)) for text in self.texts]
        except NotThere as reason:
            raise error(f"{self.where}: {reason}", _NOT_THERE) from None
        except ValueError as reason:
            hint = f"{option.flag} {option.metavar}: {option.help}"
            raise error(f"{self.where}: {reason}", hint) from None
        return tuple(read_texts) if option.repeatable else read_texts[-1]


@dataclass(frozen=True, slots=True)
class Sources:
    """Everything that was said, before any value of it is looked at but the name of the profile."""

    config_dir: Path
    file: SettingsFile
    profile: str
    """The one that is in use."""
    found: tuple[Found, ...]
    """One for each setting, in the order of the table."""

    def of(self, name: str) -> Found:
        """What was said of one setting."""
        return next(found for found in self.found if found.option.name == name)


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
    sources = find(flags, environment)
    values: dict[str, object] = {"config_dir": sources.config_dir}
    mistakes: list[GatewayError] = []
    for found in sources.found:
        try:
            values[found.option.name] = found.value
        except (ConfigError, UsageError) as error:
            mistakes.append(error)
    if mistakes:
        raise _together(mistakes)
    return Settings(**values)  # type: ignore[arg-type]  # the table above is the only writer, each value by its own reader


def config_dir(environment: Mapping[str, str]) -> Path:
    """The folder where the settings file is, and the policy that is in force where none is named."""
    return Path(environment.get(PREFIX + "CONFIG_DIR") or platformdirs.user_config_dir(APP))


def find(flags: Mapping[str, Sequence[str]], environment: Mapping[str, str]) -> Sources:
    """What was said of every setting, and where. Raises `UsageError`, `ConfigError` for names that nobody knows."""
    folder = config_dir(environment)
    file = read(folder / FILE)
    _check_environment(environment)
    chosen = _outside(_BY_NAME["profile"], flags, environment) or _in_the_file(_BY_NAME["profile"], file.settings)
    profile = _known(chosen, file)
    own = file.profiles.get(profile, {})
    assumed: Texts = BUILT_IN.get(profile, {}) if chosen is not None else {}
    option = _BY_NAME["upstream"]
    upstream = _outside(option, flags, environment) or _in_the_profile(option, profile, own, assumed)
    own, settings = _meant_for(upstream, own), _meant_for(upstream, file.settings)
    return Sources(
        folder,
        file,
        profile,
        tuple(
            _outside(option, flags, environment)
            or _in_the_profile(option, profile, own, assumed)
            or _in_the_file(option, settings)
            or Found(option, (), "default", "default")
            for option in OPTIONS
        ),
    )


def names(file: SettingsFile) -> tuple[str, ...]:
    """The profiles that there are: the built-in ones, then those of the file in its order."""
    return tuple(dict.fromkeys((*BUILT_IN, *file.profiles)))


def _outside(option: Option, flags: Mapping[str, Sequence[str]], environment: Mapping[str, str]) -> Found | None:
    given, variable = flags.get(option.name), environment.get(option.variable)
    if given:
        return Found(option, tuple(given), "flag", option.flag)
    return Found(option, (variable,), "environment", option.variable) if variable else None


def _in_the_profile(option: Option, profile: str, own: Texts, assumed: Texts) -> Found | None:
    if option.name in own:
        return Found(option, own[option.name], "profile", f"{FILE}: profiles.{profile}.{option.name}")
    if option.name in assumed:
        return Found(option, assumed[option.name], "profile", f"profile {profile} (built in)")
    return None


def _in_the_file(option: Option, settings: Texts) -> Found | None:
    return Found(option, settings[option.name], "file", f"{FILE}: {option.name}") if option.name in settings else None


def _meant_for(upstream: Found | None, table: Texts) -> Texts:
    """What a table says where this upstream is in force: the credentials of another one it keeps to itself."""
    if upstream is None or "upstream" not in table or _origin(upstream.texts[-1]) == _origin(table["upstream"][-1]):
        return table
    return {name: texts for name, texts in table.items() if name != "header" and not name.startswith("oauth_")}


def _origin(url: str) -> tuple[str, ...]:
    """Whose address it is; that of a text that is no URL is nobody's but its own."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return (url,)
    return (parts.scheme, parts.hostname or url, str(port))


def _known(chosen: Found | None, file: SettingsFile) -> str:
    """The name of the profile in use. Raises where there is none of that name."""
    if chosen is None:
        return KEYID
    name, known = str(chosen.value), names(file)
    if name not in known:
        raise unknown_profile(name, known, f"{chosen.where}: ", UsageError if chosen.origin == "flag" else ConfigError)
    return name


def unknown_profile(
    name: str, known: Sequence[str], where: str = "", error: type[ConfigError | UsageError] = UsageError
) -> GatewayError:
    """That there is no profile of this name, which was perhaps meant, and which there are."""
    close = meant(name, known)
    perhaps = f"did you mean `{close}`? " if close else ""
    there = ", ".join(f"`{item}`" for item in known)
    return error(
        f"{where}there is no profile `{name}`",
        f"{perhaps}there {'is' if len(known) == 1 else 'are'} {there}; `keyid-gateway profiles add` makes another",
    )


def _put_in(text: str) -> str:
    """A value as it is, unless it is a variable that some clients do not put in."""
    if text.startswith("${") and text.endswith("}"):
        raise ValueError("a variable that the client did not put in: write the value itself")
    return text


def _check_environment(environment: Mapping[str, str]) -> None:
    known = {option.variable for option in OPTIONS} | _OTHER_VARIABLES
    for name in environment:
        if name.startswith(PREFIX) and name not in known:
            raise ConfigError(f"unknown setting `{name}` in the environment", suggest(name, known))


def _together(mistakes: list[GatewayError]) -> GatewayError:
    """Several mistakes as one; what kind it is, the first says."""
    if len(mistakes) == 1:
        return mistakes[0]
    lines = (line for mistake in mistakes for line in (f"  {mistake.message}", f"    {mistake.hint}"))
    return type(mistakes[0])("\n".join((f"{len(mistakes)} settings are not taken", *lines)), "mend all of them")
