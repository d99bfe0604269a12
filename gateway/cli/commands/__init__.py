"""The command line of people: the registry of commands, and the place where every failure becomes words and a code.

A command is one module here, one line in `COMMANDS`, one test. It returns its exit code; what goes wrong it raises as a
`GatewayError`. What nobody foresaw becomes one sentence that says where its traceback is.
"""

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from gateway import __version__
from gateway.cli import examples, exits, logs
from gateway.cli.commands import (
    approvals,
    audit,
    call,
    completion,
    demo,
    docs,
    doctor,
    grants,
    install,
    limits,
    login,
    logout,
    pins,
    policy,
    profiles,
    resume,
    run,
    standin,
    status,
    stop,
    tools,
    uninstall,
    whoami,
)
from gateway.cli.mistakes import Group, as_usage_error
from gateway.cli.screen import note, say, verbatim
from gateway.cli.words import shown
from gateway.errors import GatewayError, typed
from gateway.policy import PolicyError
from gateway.settings import load

COMMANDS: Final[tuple[click.Command, ...]] = (
    run.command,
    demo.command,
    install.command,
    uninstall.command,
    tools.command,
    call.command,
    policy.command,
    pins.command,
    status.command,
    doctor.command,
    approvals.command,
    limits.command,
    stop.command,
    resume.command,
    grants.command,
    audit.command,
    profiles.command,
    login.command,
    whoami.command,
    logout.command,
    standin.command,
    completion.command,
    docs.command,
)
_INTERRUPTED: Final = 130
_UNFORESEEN: Final = 70

HELP: Final = """A policy gateway between an AI agent and an MCP server.

It mirrors the server's tools to one client, judges every call by a policy on this machine before it is relayed, and
records what came of it. What the policy refuses never reaches the server.

\b
Begin with:
  keyid-gateway demo           see it at work; no account, no network
  keyid-gateway policy init    write the recommended policy to a file to edit
  keyid-gateway install        put it into the config of your client
  keyid-gateway tools          what each tool of the server may do under it
  keyid-gateway doctor         what does not work, and the cure

Without arguments, and with an MCP client on standard input, it is `run`."""


@click.group(
    cls=Group,
    help=HELP,
    epilog=exits.table(),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="keyid-gateway", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="show the traceback of an unexpected error")
def root(*, debug: bool) -> None:
    """The program; its help is `HELP`."""
    del debug  # read in `command_line`, which has to know it even when nothing could be parsed


for _command in COMMANDS:
    root.add_command(_command)
examples.attach(root)


def command_line(words: Sequence[str]) -> int:
    """Run one command line; the exit code. Whatever goes wrong is said on standard error."""
    try:
        _tolerate_any_encoding()
        code = root.main(args=list(words), prog_name="keyid-gateway", standalone_mode=False)
        sys.stdout.flush()
    except GatewayError as error:
        return _complain(error)
    except click.Abort:
        note("interrupted")
        return _INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        say(error.ctx.get_help())
        return 0
    except click.ClickException as error:
        return _complain(as_usage_error(error))
    except (BrokenPipeError, SystemExit):  # the latter is what click makes of the former
        return _closed_pipe()
    except Exception as error:  # noqa: BLE001 - one of the two places that may: here it becomes a sentence and a code
        return _unforeseen(error, words)
    return code if isinstance(code, int) else 0


def _complain(error: GatewayError) -> int:
    """Say what went wrong: a document's mistakes all at once, under one line that counts them."""
    if isinstance(error, PolicyError):
        mistakes = len(error.problems)
        note(f"error: {error.what} `{error.name}` has {mistakes} mistake{'s' * (mistakes != 1)} and is not taken")
        note(str(error))
    else:
        note(f"error: {error}")
    return error.exit_code


def _closed_pipe() -> int:
    """Whoever read our output has seen enough (`| head`): no complaint, now or when the interpreter ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 0


def _unforeseen(error: Exception, words: Sequence[str]) -> int:
    trace = "".join(traceback.format_exception(error))
    note(f"error: unexpected {type(error).__name__}: this is a fault of keyid-gateway, not yours")
    if "--debug" in words:
        verbatim(trace, err=True)
        return _UNFORESEEN
    kept = _kept(trace)
    where = f"its traceback is at the end of `{kept}`" if kept else "it left no traceback: the log cannot be written"
    note(f"hint: {where}; `{shown(typed('keyid-gateway', '--debug', *words))}` shows it")
    note("hint: `keyid-gateway doctor` says whether a file of the gateway is damaged")
    return _UNFORESEEN


def _kept(trace: str) -> Path | None:
    try:
        file = load({}, os.environ).log_file
    except GatewayError:
        return None
    return file if logs.keep(file, trace) else None


def _tolerate_any_encoding() -> None:
    """A terminal that cannot show a character gets its escape instead of an error."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
