"""A question to the person at the keyboard, and what is said where nobody is there to answer it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from gateway.cli.screen import note, on_terminal
from gateway.errors import UsageError


@contextmanager
def answered(otherwise: str) -> Iterator[None]:
    """Within it somebody is asked. Where input ends first, `UsageError` with `otherwise`: how to do without an answer.

    At a terminal that end is Ctrl-C or Ctrl-D, which interrupt.
    """
    try:
        yield
    except click.Abort:
        note("")  # behind the question
        if on_terminal(sys.stdin):
            raise
        raise UsageError("nobody is there to be asked", otherwise) from None
