"""`audit verify`: whether the log is what was written."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import click

from gateway.cli.evidence import evidence, key_file, missing
from gateway.cli.flags import json_flag, with_settings
from gateway.cli.progress import working
from gateway.cli.screen import document, say
from gateway.cli.words import counted, local, shown
from gateway.errors import ConfigError, UsageError
from gateway.settings import Settings
from gateway.state import signing
from gateway.state.heads import Head, is_hash, parse
from gateway.state.signing import Signature
from gateway.state.verification import Comparison, Verification

FAILED: Final = 1
_LONGEST_KEY: Final = 64

HELP: Final = """Say whether the audit log is what was written: no record changed, missing, moved or added.

The first record that is not as it was written ends it: what follows hangs on it. By itself the file cannot tell that
somebody wrote all of it anew, or put an older copy in its place: a head that was kept elsewhere can (--head, may be
repeated: a file of heads, one a line, or a hash).

Exit codes: 0 (it is), 1 (it is not, or a head says otherwise), 5 (there is no state file).

\b
--json: {"ok", "records", "first", "last", "adopted", "hash",
  "broken": null or {"seq", "what", "means"},
  "heads": [{"seq", "hash", "at", "same", "signed", "signature",
  "what"}]}; records up to "adopted" are older than the chain; "signature"
  is "good", "missing", "of another key", "wrong", or null (and so is
  "signed") where no key was there to check with"""


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
        if found is None:
            raise missing(settings.state)
        with working("verifying the audit log") as at:
            verified = found.verify(heads, at)
    if as_json:
        document(_data(verified, signed))
    else:
        _show(verified, signed, settings.state)
    return 0 if _ok(verified, signed) else FAILED


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


def _signed(heads: Sequence[Head], settings: Settings, public_key: str | None) -> list[Signature | None]:
    """What becomes of the signature of each head; None where nobody asks for one, or no key is there to check with."""
    own = key_file(settings)
    asked = public_key is not None
    if public_key is None and own.exists() and any(head.signature for head in heads):
        public_key = signing.public_part(own)
    if public_key is None:
        return [None] * len(heads)
    return [signing.signature(head, public_key) if asked or head.signature else None for head in heads]


def _ok(found: Verification, signed: Sequence[Signature | None]) -> bool:
    return found.ok and all(each in ("good", None) for each in signed)


def _show(found: Verification, signed: Sequence[Signature | None], path: Path) -> None:
    number = found.last - found.first + 1
    if found.broken is None and number:
        say(f"the audit log is what was written: {counted(number, 'record')}, {found.first} to {found.last}")
    elif found.broken is None:
        say("the audit log is empty: no call has been judged yet")
    else:
        say(f"the audit log is not what was written: {found.broken.what}")
        say(f"that means: {found.broken.means}")
        if number:
            say(f"records {found.first} to {found.last} are as they were written; of what follows nothing is certain")
        say(f"next: keep a copy of `{path}` (and `-wal` beside it) as it is; then move it away to start a fresh one")
    if found.adopted:
        say(f"records 1 to {found.adopted} are older than the chain: it knows nothing of what happened to them before")
    for comparison, signature in zip(found.comparisons, signed, strict=True):
        say(_compared(comparison, signature))
    if found.broken is None and number and not found.comparisons:
        say("next: only a head kept elsewhere tells whether all of it was written anew: `keyid-gateway audit head`")


def _compared(found: Comparison, signature: Signature | None) -> str:
    """What is to be said of a head: whether the log has it, and whether it is from whom it should be."""
    head = found.head
    faults: Mapping[Signature | None, tuple[str, str]] = {
        "missing": ("HEAD NOT SIGNED", "it has no signature: anybody may have written it"),
        "of another key": (
            "HEAD OF ANOTHER KEY",
            f"it names the key `{shown(head.key, _LONGEST_KEY)}` as its signer's",
        ),
        "wrong": ("HEAD NOT GENUINE", "its signature is of something else: the head was changed after it was signed"),
    }
    words, fault = faults.get(signature, ("head", ""))
    by = f", signed by `{shown(head.key, _LONGEST_KEY) or 'the key'}`" if signature == "good" else ""
    end = f"{found.what}{by}" + (f"; {fault}" if fault else "")
    return f"{words if found.same else 'HEAD DIFFERS'} {_name(head)}: {end}"


def _name(head: Head) -> str:
    short = f"{head.hash[:16]}…"
    return short if head.seq is None else f"{short} of {local(head.at):%Y-%m-%d %H:%M:%S %Z}"


def _data(found: Verification, signed: Sequence[Signature | None]) -> Mapping[str, object]:
    broken = found.broken
    return {
        "ok": _ok(found, signed),
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
                "signed": None if each is None else each == "good",
                "signature": each,
                "what": comparison.what,
            }
            for comparison, each in zip(found.comparisons, signed, strict=True)
        ],
    }
