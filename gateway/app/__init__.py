"""Composition root of `run`: the only module that names implementations.

The order of the start is the order of what a client waits for. Its first message, `initialize`, needs the upstream and
nothing else, so the policy (pydantic, RE2) is loaded and the state file opened once that answer is on its way to the
client, or when the first message needs them, whichever is first. Nothing is judged before the policy is loaded. Nothing
of the MCP SDK is imported at all.

The end: standard input closed, SIGTERM, SIGINT. What is in flight may finish for a moment (not after a signal), then it
is cancelled; while its calls are settled, for as long as that takes, the upstream's session is ended; the exit code is
0. All within two seconds, after which SDK clients kill.
"""

import asyncio
import logging
import secrets
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from gateway import __version__
from gateway.announced import Announced
from gateway.app.layers import layered
from gateway.app.surroundings import OpenState, Rooms
from gateway.approvals import Channel
from gateway.approvals.desk import Desk
from gateway.approvals.desktop import Desktop
from gateway.approvals.in_client import InClient
from gateway.approvals.waiting import Waiting
from gateway.asking import Asking
from gateway.attendance import Attendance, Doing
from gateway.case import Identity
from gateway.catalogue import Catalogue
from gateway.clock import Clock
from gateway.credentials import is_credential
from gateway.credentials.later import Later
from gateway.errors import StateError
from gateway.halted import Looking, Underway, cancellation
from gateway.interceptor import Interceptor
from gateway.jsonrpc import Message
from gateway.mirror import Mirror
from gateway.pinned import Pinned
from gateway.policies import NoPolicy
from gateway.policy import Policy
from gateway.proving import Proven, Proving
from gateway.questions import Questions
from gateway.relay import Relay
from gateway.settings import Settings
from gateway.settings.model import usual_state
from gateway.state import Running, State, Transaction
from gateway.state.alive import mine
from gateway.stdio import Stdio
from gateway.upstream.admission import Admission
from gateway.upstream.headers import is_modern
from gateway.upstream.http import HttpClient, HttpLimits
from gateway.upstream.session import Upstream

if TYPE_CHECKING:
    from gateway.approvals.programs import Programs

_LOG = logging.getLogger(__name__)

_PATIENCE_SECONDS: Final = 0.7
_END_SECONDS: Final = 1.6
"""How long the whole end may take. What is left of it belongs to a client that has not read its answers yet."""
_LAST_WRITE_SECONDS: Final = 0.1
_FORGET_SECONDS: Final = 0.1
_AFTER_SETTLING_SECONDS: Final = _FORGET_SECONDS + _LAST_WRITE_SECONDS
"""What settling leaves to the others; until then it may wait for whoever holds the state file."""
_WARM_UP_SECONDS: Final = 1.0


class Gateway:
    """One running gateway. Everything it needs comes in; `run` returns when it is over."""

    def __init__(self, settings: Settings, stdio: Stdio, clock: Clock) -> None:
        self._settings = settings
        self._stdio = stdio
        self._session = secrets.token_hex(8)
        self._state = OpenState(settings, clock)
        http = HttpClient(
            settings.upstream,
            {header.name: header.value for header in settings.header},
            HttpLimits(
                settings.connect_timeout,
                settings.request_timeout,
                settings.call_timeout,
                settings.max_message_bytes,
                settings.call_ceiling,
                settings.idle_timeout,
            ),
            clock,
        )
        self._mirrored = mirrored = Catalogue(self._listed)
        self._announced = Announced(settings.state, settings.server, self._state.get)
        self._upstream = Upstream(_admitted(http, settings, clock), self._deliver, self._renewed, mirrored.changed)
        mirror = Mirror(mirrored, self._upstream, clock, whole=settings.pins == "enforce")
        self._policies = layered(settings, self._state, changed=self._changed, rejected=self._rejected)
        identity = Identity(settings.grant, self._session, settings.server)
        self._pinned = Pinned(
            settings.pins,
            identity,
            mirrored,
            self._state.get,
            clock=clock,
            changed=self._repinned,
            complain=self._rejected,
        )
        self._around = Proven(Rooms(self._policies, mirror, self._pinned, self._state, settings.grant))
        person = self._person(clock)
        self._channels: tuple[Channel, ...] = (
            person,
            Desktop(settings.approve_desktop, clock, _programs, self._may_click),
        )
        self._interceptor = Interceptor(
            identity,
            self._around,
            clock,
            settings.keeping,
            underway=Underway(Looking(lambda: self._state.state, settings.grant), self._take_back),
            waiting=Waiting(stdio.send, self._channels, clock, settings.approval_wait),
            desk=Desk(identity, state_is_usual=settings.state == usual_state()),
            conceal=settings.conceal_hidden,
        )
        self._proving = Proving(self._interceptor, self._around)
        self._relay = Relay(
            stdio.send,
            self._upstream,
            mirror,
            self._proving,
            self._policies,
            pinned=self._pinned,
            max_depth=settings.max_depth,
            questions=Questions(settings.switch_off),
            person=person,
            listing=settings.list,
            hold=stdio.hold,
        )
        self._attendance = Attendance(self._running(clock.now()), self._doing, clock)
        self._attending: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Serve until the input ends or a signal comes."""
        _LOG.info("grant %s, upstream %s", self._settings.grant, self._settings.server)
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            try:
                loop.add_signal_handler(number, stopped.set)
            except NotImplementedError:  # Windows: its loop has no signal handlers, the interpreter's own ends the run
                break
        self._stdio.start(self._relay.take)
        ended = asyncio.create_task(self._stdio.ended.wait())
        signalled = asyncio.create_task(stopped.wait())
        warm = asyncio.create_task(self._warm_up())
        warm.add_done_callback(_say_why("edits of the policy are no longer followed"))
        await asyncio.wait({ended, signalled}, return_when=asyncio.FIRST_COMPLETED)
        patience = 0.0 if stopped.is_set() else _PATIENCE_SECONDS
        for task in (ended, signalled):
            task.cancel()
        await self._finish(patience, stopped)
        warm.cancel()

    async def _warm_up(self) -> None:
        """Load the policy and open the state once the client has its first answer; then follow the policy file."""
        try:
            async with asyncio.timeout(_WARM_UP_SECONDS):
                await self._relay.answered.wait()
        except TimeoutError:
            _LOG.debug("no answer yet: loading the policy meanwhile")
        try:
            await self._around.prepare()
            self._announced.judged(self._mirrored, self._policy)
            await self._state.get()
            await self._proving.prove()
        except StateError as error:
            _LOG.error("the state is not available, every call is refused: %s", error)
        self._attending = asyncio.create_task(self._attendance.follow(self._state.get))
        self._attending.add_done_callback(_say_why("`status` is told no more of this gateway"))
        pins = asyncio.create_task(self._pinned.follow())
        pins.add_done_callback(_say_why("what is forgotten of the pins is no longer noticed"))
        try:
            await self._policies.watch()
        finally:
            pins.cancel()

    async def _finish(self, patience: float, stopped: asyncio.Event) -> None:
        clock = asyncio.get_running_loop().time
        deadline = clock() + _END_SECONDS
        self._stdio.stop()  # what comes now would be relayed without a session, and never be settled
        finishing = asyncio.create_task(self._relay.finish(patience))
        hurried = asyncio.create_task(stopped.wait())
        await asyncio.wait({finishing, hurried}, return_when=asyncio.FIRST_COMPLETED)
        if not finishing.done():
            finishing.cancel()
            await self._relay.finish(0.0)
        hurried.cancel()
        goodbye = asyncio.create_task(self._upstream.close())
        await self._relay.settled(deadline - clock() - _AFTER_SETTLING_SECONDS)
        await self._interceptor.settle(max(0.0, deadline - clock() - _AFTER_SETTLING_SECONDS))
        await goodbye
        if self._state.state is not None:
            await self._forget_session(self._state.state)
        await self._stdio.close(max(_LAST_WRITE_SECONDS, deadline - clock()))

    async def _forget_session(self, state: State) -> None:
        if self._attending is not None:
            self._attending.cancel()
        try:
            await state.atomically(self._leave, patience=_FORGET_SECONDS)
        except StateError as error:
            _LOG.info("the counters of this session stay until they are cleaned up: %s", error.message)
        state.close()

    def _leave(self, tx: Transaction) -> None:
        tx.counters.forget_session(self._session)
        self._attendance.leave(tx)

    def _running(self, since: float) -> Running:
        settings, process = self._settings, mine()
        return Running(
            session=self._session,
            pid=process.pid,
            mark=process.mark,
            version=__version__,
            grant=settings.grant,
            server=settings.server,
            profile=settings.profile,
            since=since,
        )

    def _doing(self) -> Doing:
        client, tally, policy = self._relay.client, self._interceptor.tally, self._policy
        return Doing(
            client.name,
            client.version,
            self._policies.file or "",
            "" if policy is None else policy.revision,
            sum(tally.calls.values()),
            tally.denials,
        )

    # --- asking a person ----------------------------------------------------------------------------------------------

    def _person(self, clock: Clock) -> InClient:
        """The channel in the client."""
        settings = self._settings
        asking = Asking(self._stdio.send, why="the question is settled")
        return InClient(
            asking,
            settings.approve_in_client,
            grant=settings.grant,
            server=settings.server,
            digest=lambda: None if self._state.state is None else self._state.state.digest,
            now=clock.now,
            answers=self._may_click,
        )

    def _may_click(self) -> bool:
        """Whether anything but a terminal may answer: nothing else can ask for a PIN, once there is one."""
        state = self._state.state
        try:
            return state is not None and state.look(lambda tx: tx.passcodes.get()) is None
        except StateError:
            return False

    # --- wires between rooms that are made in turn --------------------------------------------------------------------

    async def _deliver(self, message: Message) -> None:
        await self._relay.deliver(message)

    async def _take_back(self, request: Message) -> None:
        """Cancel a request at the server, as its era does: in the stateless one, its closed stream has said so."""
        if not is_modern(request) and self._upstream.is_open:
            await self._upstream.notify(cancellation(request))

    def _renewed(self) -> None:
        self._relay.renewed()

    def _changed(self, old: Policy | NoPolicy, new: Policy | NoPolicy) -> None:
        self._proving.changed()
        self._relay.policy_changed(old, new)
        self._announced.judged(self._mirrored, self._policy)

    @property
    def _policy(self) -> Policy | None:
        policy = self._policies.in_force
        return None if isinstance(policy, NoPolicy) else policy

    def _listed(self) -> None:
        self._announced.listed(self._mirrored, self._policy)
        self._pinned.listed()

    def _repinned(self) -> None:
        self._relay.pins_changed()

    def _rejected(self, report: str) -> None:
        self._relay.policy_rejected(report)


def _admitted(http: HttpClient, settings: Settings, clock: Clock) -> HttpClient | Admission:
    """The client as it is where a header of the settings says who we are, else with what a sign-in gives."""
    client = settings.oauth
    if client is None:
        return http
    others = any(is_credential(header.name) for header in settings.header)
    return Admission(http, Later(client, clock, sign_in=settings.sign_in, others=others))


def _programs() -> "Programs":
    """The programs of this desktop; only where somebody has to be asked."""
    from gateway.approvals import programs

    return programs.find()


def _say_why(what: str) -> Callable[[asyncio.Task[None]], None]:
    """What is followed is followed for ever; where that ends by a fault of ours, somebody must know."""

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            _LOG.critical("%s: restart the gateway", what, exc_info=task.exception())

    return ended


async def serve(settings: Settings, source: int, sink: int, clock: Clock) -> None:
    """Run a gateway on two file descriptors that `stdio.claim` gave."""
    stdio = Stdio(source, sink, max_line_bytes=settings.max_message_bytes)
    await Gateway(settings, stdio, clock).run()
