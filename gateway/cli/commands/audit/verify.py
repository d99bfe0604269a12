"""`audit verify`: whether the log is what was written."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import click

from gateway.cli.evidence import evidence, key_file
from gateway.cli.flags import json_flag, with_settings
from gateway.cli.in_force import NO_STATE
from gateway.cli.screen import document, say
from gateway.cli.words import counted, local, shown
from gateway.errors import ConfigError, UsageError
from gateway.settings import Settings
from gateway.state import signing
from gateway.state.heads import Head, is_hash, parse
from gateway.state.verification import Comparison, Verification

FAILED: Final = 1

HELP: Final = """Say whether the audit log is what was written: no record changed, missing, moved or added.

The first record that is not as it was written ends it: what follows hangs on it. Exit code 1. By itself the file cannot
tell that somebody wrote all of it anew, or put an older copy in its place: a head that was kept elsewhere can
(--head, may be repeated: a file of heads, one a line, or a hash).

\b
--json: {"ok", "records", "first", "last", "adopted", "hash",
  "broken": null or {"seq", "what", "means"},
  "heads": [{"seq", "hash", "at", "same", "signed", "what"}]}; records up
  to "adopted" are older than the chain; "signed" is null where no key
  was there to check with"""


@click.command("verify", help=HELP, short_help="say whether the log is what was written")
@click.option("--head", "given", multiple=True, metavar="FILE|HASH", help="a head that was kept; may be repeated")
@click.option("--public-key", metavar="KEY", help="who must have signed the heads (default: your own key, if any)")
@with_settings("state")
@json_flag
def command(settings: Settings, *, given: tuple[str, ...], public_key: str | None, as_json: bool) -> int:
    """The command; its help is `HELP`."""
    if public_key is not None and not given:
        raise UsageError("`--public-key` is about heads, and there is none", "give one with `--head`")
    heads = [head for text in given for head in _heads(text)]
    signed = _signed(heads, settings, public_key)
    with evidence(settings.state) as found:
        verified = None if found is None else found.verify(heads)
    if verified is None:
        verified = Verification(1, 0, 0, "", None, tuple(_gone(head) for head in heads))
        if not as_json:
            say(f"{NO_STATE} (`{settings.state}`)")
    compared = tuple(map(_with_signature, verified.comparisons, signed))
    verified = replace(verified, comparisons=compared)
    if as_json:
        document(_data(verified, signed))
    else:
        _show(verified, settings.state)
    return 0 if verified.ok else FAILED


def _heads(text: str) -> list[Head]:
    if is_hash(text):
        return [Head(text)]
    file = Path(text)
    try:
        return parse(file.read_text(encoding="utf-8"), f"`{shown(text)}`")
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or "it is not UTF-8").lower()
        hint = "a head is a file of what `keyid-gateway audit head --json` printed, or a hash of 64 digits"
        raise ConfigError(f"`{shown(text)}` cannot be read: {reason}", hint) from None


def _signed(heads: Sequence[Head], settings: Settings, public_key: str | None) -> list[bool | None]:
    """Whether each head is signed by the right key; None where nobody asks for a signature."""
    own = key_file(settings)
    asked = public_key is not None
    if public_key is None and own.exists() and any(head.signature for head in heads):
        public_key = signing.public_part(own)
    if public_key is None:
        return [None] * len(heads)
    return [signing.is_signed_by(head, public_key) if asked or head.signature else None for head in heads]


def _gone(head: Head) -> Comparison:
    return Comparison(head, same=False, what="there is no state file: the log was moved away or deleted")


def _with_signature(comparison: Comparison, signed: bool | None) -> Comparison:  # noqa: FBT001 - what `map` hands on
    if signed is not False:
        return comparison
    return replace(comparison, same=False, what="its signature is missing, is of another key, or does not belong to it")


def _show(found: Verification, path: Path) -> None:
    number = found.last - found.first + 1
    if found.broken is None and number:
        say(f"the audit log is what was written: {counted(number, 'record')}, {found.first} to {found.last}")
    elif found.broken is not None:
        say(f"the audit log is not what was written: {found.broken.what}")
        say(f"that means: {found.broken.means}")
        if number:
            say(f"records {found.first} to {found.last} are as they were written; of what follows nothing is certain")
        say(f"next: keep a copy of `{path}` (and `-wal` beside it) as it is; then move it away to start a fresh one")
    if found.adopted:
        say(f"records 1 to {found.adopted} are older than the chain: it knows nothing of what happened to them before")
    for comparison in found.comparisons:
        say(f"{'head' if comparison.same else 'HEAD DIFFERS'} {_name(comparison.head)}: {comparison.what}")
    if found.broken is None and number and not found.comparisons:
        say("next: only a head kept elsewhere tells whether all of it was written anew: `keyid-gateway audit head`")


def _name(head: Head) -> str:
    return f"{head.hash[:16]}… of {local(head.at):%Y-%m-%d %H:%M:%S}" if head.seq is not None else f"{head.hash[:16]}…"


def _data(found: Verification, signed: Sequence[bool | None]) -> Mapping[str, object]:
    broken = found.broken
    return {
        "ok": found.ok,
        "records": found.last - found.first + 1,
        "first": found.first,
        "last": found.last,
        "adopted": found.adopted,
        "hash": found.head,
        "broken": None if broken is None else {"seq": broken.seq, "what": broken.what, "means": broken.means},
        "heads": [
            {
                "seq": comparison.head.seq,
                "hash": comparison.head.hash,
                "at": comparison.head.at,
                "same": comparison.same,
                "signed": each,
                "what": comparison.what,
            }
            for comparison, each in zip(found.comparisons, signed, strict=True)
        ],
    }
