"""The process. `run` starts here without importing what only people need; everything else is `gateway.cli`."""

import os
import sys
from collections.abc import Sequence

from gateway.cli import COMPLETING


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code. No arguments and standard input not a terminal: `run`.

    A person who types `run` at a terminal is served by `cli`, which says what it waits for.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    typed = sys.stdin is not None and sys.stdin.isatty()
    if not words and not typed and COMPLETING not in os.environ:
        words = ["run"]
    if words[:1] == ["run"] and not typed:
        from gateway.settings import parse_flags

        flags = parse_flags(words[1:])
        if flags is not None:
            from gateway.cli.run import start

            return start(flags)
    from gateway.cli import main as command_line

    return command_line(words)


if __name__ == "__main__":
    sys.exit(main())
