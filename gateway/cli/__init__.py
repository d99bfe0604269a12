"""The commands for people, one module each. `main` is the whole program but for the quick start of `run`."""

from collections.abc import Sequence

COMPLETING = "_KEYID_GATEWAY_COMPLETE"
"""The variable of the environment by which a shell asks what may come next (`keyid-gateway completion`)."""


def main(words: Sequence[str]) -> int:
    """Run one command line; the exit code."""
    from gateway.cli.commands import command_line

    return command_line(words)
