"""Where settings come from: flag > `KEYID_GATEWAY_*` > settings file > default.

A name that nobody knows, in the file or in the environment, is an error: a setting that is accepted and not in force
would be worse than none.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import platformdirs

from gateway.errors import ConfigError, UsageError
from gateway.settings.model import APP, Settings
from gateway.settings.options import OPTIONS, PREFIX, Option
from gateway.settings.values import PLACES

_BY_FLAG: Final = {option.flag: option for option in OPTIONS}
_BY_NAME: Final = {option.name: option for option in OPTIONS}
_IN_THE_CONFIG_FOLDER: Final = frozenset({"policy", "state", "log_file"})
"""Paths that the settings file means from where it lies. A project's policy is one of the folder of the agent."""
_OTHER_VARIABLES: Final = frozenset({PREFIX + "CONFIG_DIR"})


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
            values[option.name] = option.default
    return Settings(**values)  # type: ignore[arg-type]  # the table above is the only writer, each value by its own reader


def _value(option: Option, texts: Sequence[str], error: type[ConfigError | UsageError], where: str) -> object:
    try:
        read = [option.read(_put_in(text)) for text in texts]
    except ValueError as reason:
        raise error(f"{where}: {reason}", f"{option.flag} {option.metavar}: {option.help}") from None
    return tuple(read) if option.repeatable else read[-1]


def _check_places(option: Option, texts: Sequence[str], error: type[ConfigError | UsageError], where: str) -> None:
    """A secret is named, not written, wherever others may read it."""
    if option.secret and not all(text.partition(":")[0] in PLACES for text in texts if text):
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
    return {name: [_placed(path, name, text) for text in _texts(path, name, value)] for name, value in document.items()}


def _placed(settings_file: Path, name: str, text: str) -> str:
    """A text of the settings file; a relative path there begins at its folder, wherever a client starts the gateway."""
    if name not in _IN_THE_CONFIG_FOLDER or not text or text.startswith(("~", "builtin:", "${")):
        return text
    return str(settings_file.parent.absolute() / text)


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
