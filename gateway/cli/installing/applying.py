"""Plans put into effect: what an entry needs is there before it is, and goes again where it cannot be written."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from gateway.cli.installing.planning import Plan, Profile
from gateway.clients import files, originals
from gateway.clients.originals import Original
from gateway.disk import make_private, why
from gateway.errors import ConfigError, UsageError
from gateway.settings.file import FILE, read
from gateway.settings.profiles import add, keep_secret, remove

BACKUPS: Final = "backups"
WRAPPED: Final = "wrapped"


def apply(plan: Plan, config_dir: Path) -> Path | None:
    """Write one file; where what was there before is kept. Raises `ConfigError`, and then nothing is changed."""
    try:
        make_private(config_dir)
    except OSError as error:
        raise ConfigError(f"`{config_dir}` cannot be made: {why(error)}") from None
    with _profile(plan.profile, config_dir) as settings, _kept(plan.keep, config_dir, settings):
        stem = f"{plan.client.name}.{plan.content.named.name}"
        return files.replace(plan.content, plan.text, keep_in=config_dir / BACKUPS, name=stem)


def forget(plan: Plan, config_dir: Path) -> list[str]:
    """What was kept for entries that are back where they were goes; which profiles went with them."""
    gone = []
    for original in plan.forget:
        originals.forget(config_dir / WRAPPED, original)
        if original.profile is not None and _take_back(config_dir, original.profile, original.settings):
            gone.append(original.profile)
    return gone


def check_profile(profile: Profile, config_dir: Path) -> None:
    """That its name is free. Raises `UsageError`."""
    if profile.name in read(config_dir / FILE).profiles:
        raise UsageError(
            f"there is a profile `{profile.name}` already", "`--profile NAME` gives the one of this entry another name"
        )


@contextmanager
def _profile(profile: Profile | None, config_dir: Path) -> Iterator[Mapping[str, list[str]]]:
    """The profile in the settings file, and its secrets beside it; gone again where what follows fails."""
    if profile is None:
        yield {}
        return
    check_profile(profile, config_dir)
    headers: list[str] = []
    given = {
        "upstream": [profile.upstream],
        "grant": [profile.name],
        **({"header": headers} if profile.headers else {}),
    }
    try:
        for name, value in profile.headers.items():
            headers.append(f"{name}: {keep_secret(config_dir, profile.name, name, value)}")
        add(config_dir, profile.name, given)
    except BaseException:  # Ctrl-C too: no profile names these secrets, so they go, and whatever it was goes on
        for text in headers:
            Path(text.partition(": file:")[2]).unlink(missing_ok=True)
        raise
    try:
        yield given
    except BaseException:  # Ctrl-C too: the entry was not written, so its profile goes, and whatever it was goes on
        _take_back(config_dir, profile.name, given)
        raise


@contextmanager
def _kept(original: Original | None, config_dir: Path, settings: Mapping[str, list[str]]) -> Iterator[None]:
    if original is None:
        yield
        return
    originals.keep(config_dir / WRAPPED, replace(original, settings=settings))
    try:
        yield
    except BaseException:  # as above: an entry that still stands needs no copy to come back from
        originals.forget(config_dir / WRAPPED, original)
        raise


def _take_back(config_dir: Path, name: str, settings: Mapping[str, Sequence[str]]) -> bool:
    """Remove a profile, and with it its secrets, if it still says what it did; whether it went."""
    now = read(config_dir / FILE).profiles.get(name)
    if now is None or {key: list(texts) for key, texts in now.items()} != {key: list(t) for key, t in settings.items()}:
        return False
    remove(config_dir, name)
    return True
