"""Trust in what the server says of itself: its tools and its instructions are what was accepted, or a person is asked.

What the model reads of a server (descriptions, schemas, instructions) is what steers it, and a server can change all of
it on any day (threat B19). So what was accepted is pinned in the state file (`gateway.state.pins`), and what is
announced is compared with it:

- **First sight.** The first whole list of a server, never a page of one and never an empty one, is accepted as it is.
- **At call time.** A call is refused unless the digest of what is announced at that very moment is among the accepted
  ones. The digests are kept here, so that a call of a tool that is as it was costs no statement; only where one is not
  found is the state file asked, so that what a person accepts counts from the next call on. Accepting only adds, and
  what was forgotten is noticed within `_LOOK_SECONDS`.
- **In the list.** A tool that would be refused is not listed: its description does not reach the model. Where the state
  file cannot be read, everything is listed, because every call is then refused with the reason.
- **Instructions** that changed are in the client before they can be compared: the first answer waits for nothing. So
  that they have no effect, every call is refused until a person has seen them; the list stays. Instructions that are
  gone steer nobody, and pass.

`pins` is `off`, `warn` or `enforce`. Under `warn`, the default, all of this is compared, said in the log once for each
definition and recorded, and nothing is refused. Why that is the default: KeyID went from 26 tools to 64 once, and not
one name stayed. Under `enforce`, each such day leaves every agent without a single tool until somebody types two
commands, and each reworded sentence takes a tool away, on servers that are deployed weekly; whoever suffers that for
nothing switches it off. What it buys is little where the policy does its work: a tool of a new name is refused by
`default: deny` anyway, and a tool of an old name is judged by the same rules whatever its description says. What is
left is a description that talks the model into a call that the policy allows, or that misuses another server's tools.
Where nobody watches the agent, where one client has several servers, or where the policy is `default: allow`, that is
worth the two commands: there, set `enforce`.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Final, Literal, TypeAlias

from gateway.case import Identity
from gateway.catalogue import Catalogue, Definition, digest
from gateway.clock import Clock
from gateway.errors import StateError
from gateway.jsonrpc import Json, serialise
from gateway.pinned.comparing import NONE, Compared, compare, unaccepted
from gateway.policy import Facts
from gateway.policy.decision import Pin
from gateway.policy.problem import quoted
from gateway.state import State, Transaction
from gateway.state.pins import INSTRUCTIONS, Key, Seen

_LOG = logging.getLogger(__name__)
_LOOK_SECONDS: Final = 0.5
_SAID: Final = 5

Mode: TypeAlias = Literal["off", "warn", "enforce"]


class Pinned:
    """The pins of one server, as one gateway keeps to them.

    `changed` hears that another list is to be shown, `complain` what a person has to be told in the client.
    """

    def __init__(
        self,
        mode: Mode,
        identity: Identity,
        catalogue: Catalogue,
        state: Callable[[], Awaitable[State]],
        *,
        clock: Clock,
        changed: Callable[[], None],
        complain: Callable[[str], None],
    ) -> None:
        self._mode = mode
        self._identity = identity
        self._catalogue = catalogue
        self._state = state
        self._clock = clock
        self._changed = changed
        self._complain = complain
        self._told: frozenset[bytes] = NONE
        self._accepted: Mapping[Key, frozenset[bytes]] | None = None
        self._generation: int | None = None
        self._followed: int | None = None
        self._before: frozenset[str] = frozenset()
        self._said: tuple[str, bytes] | None = None
        self._looked_at: frozenset[bytes] = NONE
        self._comparing = asyncio.Lock()
        self._wanted = False
        self._busy: set[asyncio.Task[None]] = set()

    @property
    def compares(self) -> bool:
        """Whether anything is compared at all."""
        return self._mode != "off"

    # --- what the others ask ------------------------------------------------------------------------------------------

    def facts(self, tool: str) -> Facts:
        """What a decision may know of a tool, with how it stands to what was accepted, at this moment."""
        facts = self._catalogue.facts(tool)
        if self._mode != "enforce" or not facts.mirrored or (pin := self._pin(tool)) == "kept":
            return facts
        return facts._replace(pin=pin)

    def settled(self, tool: str) -> bool:
        """Whether there is nothing to be compared of a tool before a decision."""
        return self._mode == "off" or tool not in self._catalogue or self._pin(tool) == "kept"

    async def settle(self, tool: str) -> None:
        """Before a decision: compare what is announced of a tool, where it is not known to be as it was accepted.

        Raises `StateError` under `enforce`.
        """
        if self.settled(tool):
            return
        if self._mode == "warn":
            if not self._is_looked_at(tool):
                self.listed()
        elif self._accepted is None or not self._is_looked_at(tool) or await self._moved():
            await self._compare()

    async def shown(self, result: Mapping[str, Json]) -> Callable[[Json], bool] | None:
        """Which tools of a page of the list may be shown; None: all of them."""
        if self._mode != "enforce":
            return None
        tools = result.get("tools")
        listed = [item for item in tools if isinstance(item, dict)] if isinstance(tools, list) else []
        if self._accepted is None or not all(map(self._keeps, listed)):
            try:
                await self._compare()
            except StateError as error:
                _LOG.error("the pins cannot be read, every tool is listed and every call refused: %s", error)
                return None
        if self._accepted is None:  # the first pages of a first sight
            return None
        return lambda item: isinstance(item, dict) and self._keeps(item)

    def opened(self, result: Mapping[str, Json] | None) -> None:
        """The server said what it is (`initialize`, `server/discover`): also its instructions. None: it did not."""
        if result is None:
            return
        said = result.get("instructions")
        text = "" if said is None else said if isinstance(said, str) else serialise(said).decode()
        self._said = text, digest(text)
        self._wanted = self.compares

    def listed(self) -> None:
        """A list of tools is there: compare it, whenever the state file is there."""
        if self.compares:
            task = asyncio.get_running_loop().create_task(self._compare_quietly())
            self._busy.add(task)
            task.add_done_callback(self._busy.discard)

    async def follow(self) -> None:
        """Notice for ever what people accept and forget."""
        while self.compares:
            await asyncio.sleep(_LOOK_SECONDS)
            if await self._moved():
                await self._compare_quietly()
            if self._generation == self._followed:
                continue
            former, self._before, self._followed = self._before, self._withheld(), self._generation
            if self._before != former:
                self._changed()

    # --- comparing ----------------------------------------------------------------------------------------------------

    def _pin(self, tool: str) -> Pin:
        """How a mirrored tool stands to what was accepted, by what is known here."""
        known = self._accepted or {}
        found = self._catalogue.digest(tool)
        accepted = known.get(("tool", tool))
        if found is None or accepted is None:
            return "new"
        if found not in accepted:
            return "changed"
        return "kept" if self._instructions_kept() else "instructions"

    def _instructions_kept(self) -> bool:
        if self._said is None or not self._said[0]:
            return True
        return self._accepted is not None and self._said[1] in self._accepted.get(INSTRUCTIONS, NONE)

    def _is_looked_at(self, tool: str) -> bool:
        """Whether what stands in the way of a tool has been compared already."""
        text = self._said[1] if self._said is not None and not self._instructions_kept() else None
        return self._catalogue.digest(tool) in self._looked_at | self._all_accepted(tool) and (
            text is None or text in self._looked_at
        )

    def _all_accepted(self, tool: str) -> frozenset[bytes]:
        return (self._accepted or {}).get(("tool", tool), NONE)

    def _keeps(self, item: Definition) -> bool:
        """Whether a listed definition is an accepted one."""
        name = item.get("name")
        if self._accepted is None or not isinstance(name, str):
            return False
        own = self._catalogue.digest(name) if self._catalogue.definition(name) is item else digest(item)
        return own in self._accepted.get(("tool", name), NONE)

    def _withheld(self) -> frozenset[str]:
        names = tuple(self._catalogue.definitions()) if self._mode == "enforce" and self._accepted is not None else ()
        return frozenset(name for name in names if self._pin(name) in ("new", "changed"))

    async def _moved(self) -> bool:
        """Whether there is something to compare: people did something, or the server said something new of itself."""
        try:
            state = await self._state()
            return self._wanted or state.pins_generation(self._identity.server) != self._generation
        except StateError:  # every call is refused and told so
            return False

    async def _compare_quietly(self) -> None:
        try:
            await self._compare()
        except StateError as error:  # every call is refused and told so
            _LOG.debug("the pins could not be compared: %s", error)

    async def _compare(self) -> None:
        """Compare all that is announced now with what is accepted now. Raises `StateError`."""
        async with self._comparing:
            state = await self._state()
            for _ in range(2):
                self._wanted = False
                catalogue = self._catalogue
                whole = catalogue.complete and len(catalogue) > 0
                known = self._accepted or {}
                seen = await asyncio.to_thread(unaccepted, dict(catalogue.definitions()), self._said, known)
                found = await state.atomically(partial(self._met, seen=seen, whole=whole))
                self._accepted, self._generation = found.accepted, found.generation
                self._looked_at = frozenset(each.digest for each in seen)
                if self._followed is None:  # what is accepted or forgotten from here on, the client is to hear of
                    self._before, self._followed = self._withheld(), self._generation
                self._tell(found)
                if found.accepted is not None or not known:
                    return

    def _met(self, tx: Transaction, *, seen: Sequence[Seen], whole: bool) -> Compared:
        known, refuses, now = self._accepted is not None, self._mode == "enforce", self._clock.now()
        return compare(tx, self._identity, now, seen=seen, whole=whole, known=known, refuses=refuses)

    def _tell(self, found: Compared) -> None:
        if found.begun:
            _LOG.info("the server is seen for the first time: its %d tools are pinned as they are", found.begun)
        enforced = self._mode == "enforce"
        news = [each for each in (found.other if enforced else found.waiting) if each.digest not in self._told]
        self._told = frozenset(each.digest for each in found.other)
        if not news:
            return
        names = ["its instructions" if each.key == INSTRUCTIONS else quoted(each.key[1]) for each in news]
        more = f" and {len(names) - _SAID} more" if len(names) > _SAID else ""
        does = "refused" if enforced else "only said, because `pins` is `warn`"
        said = f"the server announces what nobody has accepted ({does}): {', '.join(names[:_SAID])}{more}"
        _LOG.warning("%s; see `keyid-gateway pins diff`", said)
        if enforced:
            self._complain(f"{said}; a person can look at it with `keyid-gateway pins diff`, and accept it")
