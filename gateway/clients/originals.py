"""What an entry was before the gateway took its place: kept so that `uninstall` can put it back, to the letter.

One file for each entry, mode 0600 in a folder of mode 0700, because such an entry may carry a token.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from gateway import disk
from gateway.errors import ConfigError

FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Original:
    """An entry as it was written, and the profile that was made of it, as the settings file had it then."""

    file: str
    key: str
    entry: str
    text: str = field(repr=False)
    profile: str | None = None
    settings: Mapping[str, list[str]] = field(default_factory=dict)


def keep(folder: Path, original: Original) -> None:
    """Keep it, instead of what was kept for the same entry. Raises `ConfigError`."""
    file = _file(folder, original.file, original.key, original.entry)
    try:
        disk.make_private(folder)
        disk.write(file, json.dumps({"format": FORMAT, **asdict(original)}).encode())
    except OSError as error:
        raise ConfigError(f"`{file}` cannot be written: {disk.why(error)}") from None


def find(folder: Path, file: str, key: str, entry: str) -> Original | None:
    """What was kept for an entry, or None. Raises `ConfigError` for a file that is not one of ours."""
    place = _file(folder, file, key, entry)
    try:
        document = json.loads(place.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        document = None
    if isinstance(document, dict) and document.pop("format", None) == FORMAT:
        try:
            original = Original(**document)
        except TypeError:
            original = None
        if original is not None and (original.file, original.key, original.entry) == (file, key, entry):
            return original
    raise ConfigError(
        f"`{place}` does not say what the entry was", "remove that file; then the entry is only taken out"
    )


def forget(folder: Path, original: Original) -> None:
    """It is back where it was."""
    _file(folder, original.file, original.key, original.entry).unlink(missing_ok=True)


def _file(folder: Path, file: str, key: str, entry: str) -> Path:
    name = hashlib.sha256(json.dumps([file, key, entry]).encode()).hexdigest()[:32]
    return folder / f"{name}.json"
