"""`run`: the gateway itself, on standard input and output."""

import logging
import os
import sys
from collections.abc import Mapping, Sequence

from gateway.errors import GatewayError


def start(flags: Mapping[str, Sequence[str]]) -> int:
    """Run until the client goes away; the exit code."""
    from gateway.settings import load

    try:
        settings = load(flags, os.environ)
    except GatewayError as error:
        sys.stderr.write(f"keyid-gateway: {error}\n")
        return error.exit_code

    from gateway import stdio

    source, sink = stdio.claim()

    from gateway.cli import logs

    logs.start(settings.log_level, settings.log_file)
    for header in settings.header:
        if header.literal and _is_credential(header.name):
            logging.getLogger(__name__).warning(
                "the value of header `%s` stands in the settings themselves; "
                "`%s: env:NAME` or `%s: file:PATH` keeps it out of them",
                *(3 * (header.name,)),
            )
    import asyncio

    from gateway.app import serve
    from gateway.clock import SystemClock

    try:
        asyncio.run(serve(settings, source, sink, SystemClock()))
    except KeyboardInterrupt:  # where the loop has no signal handlers (Windows), Ctrl-C comes this way
        return 0
    return 0


def _is_credential(name: str) -> bool:
    return any(word in name.lower() for word in ("auth", "token", "key", "cookie", "secret"))
