"""The log file stays the user's own, also after it was rotated."""

import logging
import stat
from pathlib import Path

from gateway.cli import logs


def test_every_file_of_the_log_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "gateway.log"
    file.write_text("from an older version\n", encoding="utf-8")
    file.chmod(0o644)
    handler = logs._file(file)
    handler.maxBytes = 100
    for _ in range(4):
        handler.emit(logging.LogRecord("x", logging.INFO, "f", 1, "y" * 90, None, None))
    handler.close()
    files = list(tmp_path.iterdir())
    assert len(files) > 2
    assert {stat.S_IMODE(found.stat().st_mode) for found in files} == {0o600}
