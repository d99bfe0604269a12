"""`run`: the gateway itself, on standard input and output."""

import logging
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from gateway.credentials import is_credential
from gateway.errors import GatewayError
from gateway.settings import Settings, load

_DESCRIPTORS: Final = 8192
_UNEXPECTED: Final = 70


def start(flags: Mapping[str, Sequence[str]]) -> int:
    """Run until the client goes away; the exit code.

    Where the gateway has run, the process ends here and now: an interpreter that takes itself down would wait for
    threads, such as one that looks up a name on a dead network, for longer than a client does.
    """
    try:
        settings = load(flags, os.environ)
        from gateway import stdio

        source, sink = stdio.claim()
    except GatewayError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    except OSError as error:
        sys.stderr.write(f"error: standard input or output is closed: {(error.strerror or '').lower()}\n")
        return _UNEXPECTED

    from gateway.cli import logs

    logs.start(settings.log_level, settings.log_file)
    _warn_of_literals(settings)
    _allow_descriptors()
    code = _serve(settings, source, sink)
    logs.stop()
    os._exit(code)


def _serve(settings: Settings, source: int, sink: int) -> int:
    import asyncio

    from gateway.app import serve
    from gateway.clock import SystemClock

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(serve(settings, source, sink, SystemClock()))
    except KeyboardInterrupt:  # where the loop has no signal handlers (Windows), Ctrl-C comes this way
        return 0
    except Exception:  # the last resort: an exit code and a place to look, not a bare traceback
        logging.getLogger(__name__).critical("the gateway ended by a fault of its own", exc_info=True)
        return _UNEXPECTED
    return 0


def _allow_descriptors() -> None:
    """Every call in flight holds a connection: as many as the system lets us have, within reason."""
    if sys.platform == "win32":  # it has no such limit
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _warn_of_literals(settings: Settings) -> None:
    for header in settings.header:
        if header.literal and is_credential(header.name):
            logging.getLogger(__name__).warning(
                "the value of header `%s` stands in the settings themselves; "
                "`%s: env:NAME` or `%s: file:PATH` keeps it out of them",
                *(3 * (header.name,)),
            )
