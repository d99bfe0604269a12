"""The settings: whether they can be taken, and where each value that is not the default comes from."""

from collections.abc import Iterator

from gateway.cli.checkup.examination import Examined
from gateway.cli.checkup.finding import Finding, failed, ok, warning
from gateway.cli.words import shown
from gateway.credentials import is_credential
from gateway.settings import config_dir
from gateway.settings.masks import masked


def check(examined: Examined) -> Iterator[Finding]:
    """The lines about the settings."""
    folder = config_dir(examined.environment)
    if examined.trouble is not None:
        said, hint = examined.trouble.message, examined.trouble.hint
        yield failed("settings", said, hint, folder=str(folder))
    sources = examined.sources
    if sources is None:
        return
    there = "" if sources.file.path.exists() else " (there is no such file, and there need be none)"
    yield ok("settings", f"settings file `{sources.file.path}`{there}", file=str(sources.file.path))
    if sources.profile != "keyid" or sources.file.profiles:
        yield ok("settings", f"profile {shown(sources.profile)}", profile=sources.profile)
    for found in sources.found:
        if found.origin == "default" or found.option.name == "profile":
            continue
        texts = ", ".join(shown(masked(found.option, text), 200) for text in found.texts)
        yield ok("settings", f"{found.option.name} = {texts} (from {found.where})", origin=found.origin)
    yield from _literals(examined)


def _literals(examined: Examined) -> Iterator[Finding]:
    for header in () if examined.settings is None else examined.settings.header:
        if header.literal and is_credential(header.name):
            yield warning(
                "settings",
                f"the value of header `{header.name}` stands in the settings themselves",
                f"`{header.name}: env:NAME` or `{header.name}: file:PATH` keeps it out of them",
            )
