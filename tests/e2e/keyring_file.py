"""A keyring of the test's own, as PYTHON_KEYRING_BACKEND names it: everything is in the file TEST_KEYRING."""

import json
import os
from pathlib import Path

from keyring.backend import KeyringBackend


class FileKeyring(KeyringBackend):
    """Keeps what it is given, in plain text: for tests only."""

    priority = 9

    def get_password(self, service: str, username: str) -> str | None:
        return self._values().get(f"{service}/{username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self._write({**self._values(), f"{service}/{username}": password})

    def delete_password(self, service: str, username: str) -> None:
        self._write({name: value for name, value in self._values().items() if name != f"{service}/{username}"})

    def _values(self) -> dict[str, str]:
        file = Path(os.environ["TEST_KEYRING"])
        values: dict[str, str] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        return values

    def _write(self, values: dict[str, str]) -> None:
        Path(os.environ["TEST_KEYRING"]).write_text(json.dumps(values), encoding="utf-8")
