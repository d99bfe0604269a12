"""What is announced against what was accepted of it, within one transaction, and what the log is told of that."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.case import Identity
from gateway.catalogue import Definition, digest
from gateway.jsonrpc import serialise
from gateway.state import Record, Transaction
from gateway.state.pins import INSTRUCTIONS, Key, Seen

_RECORDED: Final = 100
NONE: Final[frozenset[bytes]] = frozenset()


@dataclass(frozen=True, slots=True)
class Compared:
    """What a comparison found: the accepted digests (None: the server was never seen), what is `other` than them.

    `waiting` is what of that nobody has met before.
    """

    accepted: Mapping[Key, frozenset[bytes]] | None
    generation: int | None
    waiting: Sequence[Seen] = ()
    other: Sequence[Seen] = ()
    begun: int = 0


def compare(
    tx: Transaction, who: Identity, now: float, *, seen: Sequence[Seen], whole: bool, known: bool, refuses: bool
) -> Compared:
    """What of `seen` is not accepted, noted and recorded; the first sight of a server accepts it all.

    `whole`: the list of tools is. `known`: something was accepted of the server before, by what this gateway knows.
    `refuses`: what was not accepted is refused.
    """
    server = who.server
    if tx.pins.generation(server) is None:
        if known or not whole:  # forgotten: everything is looked at once more
            return Compared(None, None)
        tx.pins.begin(server, seen, now)
        return Compared(
            tx.pins.accepted(server),
            tx.pins.generation(server),
            begun=len([each for each in seen if each.key != INSTRUCTIONS]),
        )
    accepted = tx.pins.accepted(server)
    said = [each for each in seen if each.key == INSTRUCTIONS]
    if said and INSTRUCTIONS not in accepted:
        tx.pins.begin(server, said, now)
        accepted = tx.pins.accepted(server)
    other = [each for each in seen if each.digest not in accepted.get(each.key, NONE) and each.size]
    waiting = tx.pins.meet(server, other, now)
    for record in _records(waiting, accepted, who, now, refuses=refuses):
        tx.audit.append(record)
    return Compared(accepted, tx.pins.generation(server), waiting, other)


def _records(
    waiting: Sequence[Seen], accepted: Mapping[Key, frozenset[bytes]], who: Identity, now: float, *, refuses: bool
) -> Iterator[Record]:
    for number, each in enumerate(waiting[: _RECORDED + 1]):
        more = number == _RECORDED
        name = "" if more else each.key[1]
        said = f"and {len(waiting) - _RECORDED} more" if more else _what(each.key, accepted)
        yield Record(
            kind="definition",
            decision_id=secrets.token_hex(8),
            at=now,
            grant=who.grant,
            session=who.session,
            client_name="",
            client_version="",
            server=who.server,
            method="initialize" if each.key == INSTRUCTIONS else "tools/list",
            tool=name,
            policy_revision="",
            effect="deny" if refuses else "observe",
            rule="(changed tool)",
            reason="changed tool",
            message=said,
            argument_digest="" if more else each.digest.hex(),
        )


def _what(key: Key, accepted: Mapping[Key, frozenset[bytes]]) -> str:
    if key == INSTRUCTIONS:
        return "the server's instructions changed"
    return "the tool's definition changed" if key in accepted else "the tool is new"


def unaccepted(
    definitions: Mapping[str, Definition], said: tuple[str, bytes] | None, accepted: Mapping[Key, frozenset[bytes]]
) -> list[Seen]:
    """All that is announced and not among the accepted. On a thread: a list may be long."""
    found = []
    for name, definition in definitions.items():
        own = digest(definition)
        if own not in accepted.get(("tool", name), NONE):
            found.append(Seen.of(("tool", name), own, serialise(dict(definition))))
    if said is not None and said[1] not in accepted.get(INSTRUCTIONS, NONE):
        found.append(Seen.of(INSTRUCTIONS, said[1], serialise(said[0]) if said[0] else b""))
    return found
