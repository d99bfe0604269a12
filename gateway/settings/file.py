"""The settings file: settings for whatever is started, and profiles, which are settings under a name.

    version = 1
    grant = "me"

    [profiles.github]
    upstream = "https://api.githubcopilot.com/mcp/"
    header = ["Authorization: env:GITHUB_AUTHORIZATION"]

Whatever is wrong with the shape of it is said at once, in profiles that are not in use as well: a setting that is
accepted and not in force would be worse than none. What the values are is looked at where they are in force.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias, cast

from gateway.disk import why
from gateway.errors import ConfigError, meant
from gateway.settings.options import OPTIONS, Option
from gateway.settings.values import profile as profile_name

FILE: Final = "settings.toml"
VERSION: Final = 1
"""Of the settings file. A file that names none is of this one."""
PLACED: Final = frozenset({"policy", "state", "log_file"})
"""Paths that the settings file means from where it lies. A project's policy is one of the folder of the agent."""

Texts: TypeAlias = Mapping[str, tuple[str, ...]]
"""Settings by their names, as a flag would say them."""

_BY_NAME: Final = {option.name: option for option in OPTIONS}
_OF_THE_FILE: Final = frozenset({"version", "profiles"})


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """What stands in a settings file; nothing where there is none."""

    path: Path
    settings: Texts = field(default_factory=dict)
    profiles: Mapping[str, Texts] = field(default_factory=dict)


def read(path: Path) -> SettingsFile:
    """The settings file. Raises `ConfigError` with every mistake of it."""
    try:
        if not path.exists():
            return SettingsFile(path)
        import tomllib  # only where there is a file: it costs a tenth of the start

        with path.open("rb") as stream:
            document = tomllib.load(stream)
    except OSError as error:
        raise ConfigError(f"`{path}` cannot be read: {why(error)}", "check its owner and mode") from None
    except ValueError as error:  # not TOML, or not UTF-8
        raise ConfigError(f"`{path}` is not valid TOML: {error}", "one `name = value` a line") from None
    return checked(path, document)


def checked(path: Path, document: Mapping[str, object]) -> SettingsFile:
    """What a document says. Raises `ConfigError` with every mistake of it."""
    version = document.get("version", VERSION)
    if version != VERSION or isinstance(version, bool):
        raise ConfigError(
            f"`{path}` is of version {version!r}, and this keyid-gateway knows version {VERSION}",
            "update keyid-gateway, or mend the line `version`",
        )
    mistakes = [*_mistakes("", document, _OF_THE_FILE), *_mistakes_of_profiles(document.get("profiles", {}))]
    if mistakes:
        raise _all(path, mistakes)
    profiles = cast(Mapping[str, Mapping[str, object]], document.get("profiles", {}))
    return SettingsFile(
        path,
        _all_texts(path, {name: value for name, value in document.items() if name not in _OF_THE_FILE}),
        {name: _all_texts(path, inner) for name, inner in profiles.items()},
    )


# --- what may stand in it ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Mistake:
    words: str
    hint: str | None = None


def _all(path: Path, mistakes: list[_Mistake]) -> ConfigError:
    if len(mistakes) == 1:
        return ConfigError(f"`{path}`: {mistakes[0].words}", mistakes[0].hint)
    lines = (f"  {each.words}" + (f" ({each.hint})" if each.hint else "") for each in mistakes)
    return ConfigError(
        "\n".join((f"`{path}` has {len(mistakes)} mistakes", *lines)), "nothing of it is taken: mend all"
    )


def _mistakes(prefix: str, table: Mapping[str, object], others: frozenset[str] = frozenset()) -> Iterator[_Mistake]:
    for name, value in table.items():
        if name in others:
            continue
        if name not in _BY_NAME:
            yield _Mistake(f"unknown setting `{prefix}{name}`", suggest(name, _BY_NAME))
            continue
        words = _mistake(_BY_NAME[name], value)
        if words is not None:
            yield _Mistake(f"`{prefix}{name}` {words}")


def _mistake(option: Option, value: object) -> str | None:
    if isinstance(value, list) and not option.repeatable:
        return "takes one value, not a list"
    if option.switch and isinstance(value, bool):
        return None
    items = value if isinstance(value, list) else [value]
    if not all(isinstance(item, str | int | float) and not isinstance(item, bool) for item in items):
        return "must be a text or a number"
    return None


def _mistakes_of_profiles(profiles: object) -> Iterator[_Mistake]:
    if not isinstance(profiles, Mapping) or not all(isinstance(inner, Mapping) for inner in profiles.values()):
        yield _Mistake("`profiles` has to be tables", "`[profiles.NAME]` begins one")
        return
    for name, inner in profiles.items():
        prefix = f"profiles.{name}."
        try:
            profile_name(name)
        except ValueError as reason:
            yield _Mistake(f"`profiles.{name}`: {reason}")
        if "profile" in inner:
            yield _Mistake(f"`{prefix}profile`: a profile names no other")
        yield from _mistakes(prefix, {key: value for key, value in inner.items() if key != "profile"})


def suggest(name: str, known: "Mapping[str, object] | set[str] | frozenset[str]") -> str:
    """What was probably meant by a name, or all that could have been."""
    close = meant(name, known)
    return f"did you mean `{close}`?" if close else "known are " + ", ".join(f"`{item}`" for item in sorted(known))


# --- as texts ---------------------------------------------------------------------------------------------------------


def _all_texts(path: Path, table: Mapping[str, object]) -> Texts:
    return {name: tuple(_placed(path, name, text) for text in _texts(value)) for name, value in table.items()}


def _texts(value: object) -> list[str]:
    if isinstance(value, bool):
        return [str(value).lower()]
    return [str(item) for item in (value if isinstance(value, list) else [value])]


def _placed(settings_file: Path, name: str, text: str) -> str:
    """A text of the settings file; a relative path there begins at its folder, wherever a client starts the gateway."""
    if name not in PLACED or not text or text.startswith(("~", "builtin:", "${")):
        return text
    return str(settings_file.parent.absolute() / text)
