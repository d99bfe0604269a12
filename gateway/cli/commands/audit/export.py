"""`audit export`: every record, for other programs."""

import csv
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, Final

import click

from gateway.cli import calls, otlp
from gateway.cli.evidence import evidence, missing
from gateway.cli.flags import json_flag, with_settings
from gateway.cli.moments import moment
from gateway.cli.progress import working
from gateway.cli.screen import note, on_terminal
from gateway.cli.words import counted
from gateway.clock import SystemClock
from gateway.disk import why
from gateway.errors import StateError, UsageError
from gateway.settings import Settings
from gateway.state import Entry
from gateway.state.evidence import Evidence

_COLUMNS: Final = (
    "seq,time,at,kind,decision_id,grant,session,client_name,client_version,server,method,tool,policy_revision,effect,"
    "rule,reason,message,argument_names,argument_digest,upstream_status,outcome,latency_ms,values,hash"
)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet may take for the beginning of a formula (OWASP, CSV Injection)."""

_TOLD: Final = 4096

HELP: Final = """Write every record, oldest first, as JSON Lines, CSV or OpenTelemetry logs, to standard output or to a
file (mode 0600).

In CSV, a text that a spreadsheet would run as a formula gets a `'` before it: it came from an agent. The hash of each
record is its place in the chain; what proves it is the state file and `audit verify`, not the export.

`otlp` is OTLP in JSON, one `LogsData` a line: what the `otlpjsonfile` receiver of an OpenTelemetry collector reads.

\b
--json: one record a line, which is the default: what `audit tail --json`
  has, and "hash" """


@click.command("export", help=HELP, short_help="write every record for other programs")
@click.option("--format", "form", type=click.Choice(["jsonl", "csv", "otlp"]), help="(default: jsonl)")
@click.option("--since", metavar="TIME", help="not before: `7d`, or `2026-01-31` here (`…T14:00Z`: UTC)")
@click.option("--until", metavar="TIME", help="before")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="a new file to write to")
@with_settings("state")
@json_flag
def command(settings: Settings, *, form: str | None, output: Path | None, as_json: bool, **span: str | None) -> int:
    """The command; its help is `HELP`."""
    if as_json and form in ("csv", "otlp"):
        raise UsageError(f"`--json` and `--format {form}` exclude each other", "leave one of them out")
    now = SystemClock().now()
    first, last = moment(span["since"], "--since", now), moment(span["until"], "--until", now)
    with evidence(settings.state) as found:
        if found is None:
            raise missing(settings.state)
        number, newest = 0, _newest(found)
        with _opened(output) as stream:
            write = _csv(stream) if form == "csv" else _lines(stream, otlp.line if form == "otlp" else _as_it_is)
            with working("writing the records") if not on_terminal(stream) else nullcontext(_untold) as at:
                for number, (entry, linked) in enumerate(found.everything(first, last), 1):
                    write(_data(entry, linked))
                    if not number % _TOLD:
                        at(number, newest)
    if output is not None:
        note(f"wrote {counted(number, 'record')} to `{output}`")
    return 0


def _newest(found: Evidence) -> int:
    """About how many there are. A log that is damaged at its end is exported all the same."""
    try:
        return found.newest()
    except StateError:
        return 0


def _untold(done: int, of: int) -> None:
    """On a terminal the records themselves tell how far it is."""
    del done, of


@contextmanager
def _opened(output: Path | None) -> Iterator[IO[str]]:
    if output is None:
        yield sys.stdout
        return
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise UsageError(
            f"`{output}` cannot be written: {why(error)}", "choose a new file in a folder of yours"
        ) from None
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
        yield stream


def _data(entry: Entry, linked: str) -> Mapping[str, object]:
    return {**calls.as_data(entry), "hash": linked}


def _as_it_is(data: Mapping[str, object]) -> Mapping[str, object]:
    return data


def _lines(
    stream: IO[str], shape: Callable[[Mapping[str, object]], Mapping[str, object]]
) -> Callable[[Mapping[str, object]], None]:
    def write(data: Mapping[str, object]) -> None:
        stream.write(json.dumps(shape(data), separators=(",", ":")) + "\n")

    return write


def _csv(stream: IO[str]) -> Callable[[Mapping[str, object]], None]:
    columns = _COLUMNS.split(",")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)

    def write(data: Mapping[str, object]) -> None:
        writer.writerow([_cell(data[column]) for column in columns])

    return write


def _cell(value: object) -> object:
    """A value that a spreadsheet shows, and never runs."""
    if isinstance(value, list | tuple):
        value = ", ".join(map(str, value))
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
