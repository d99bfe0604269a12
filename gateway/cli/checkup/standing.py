"""What a person has said or still has to say: the stop switch, questions about calls, pinned definitions."""

from collections.abc import Iterator

from gateway.cli.checkup.examination import Examined
from gateway.cli.checkup.finding import Finding, failed, ok, unchecked, warning
from gateway.cli.in_force import state
from gateway.cli.words import counted, local, shown
from gateway.errors import StateError
from gateway.settings import Settings
from gateway.state import Halt, Transaction


def check(examined: Examined) -> Iterator[Finding]:
    """The lines about the switch, questions and pins."""
    settings, now = examined.known, examined.clock.now()
    try:
        with state(settings.state) as tx:
            if tx is None:
                yield ok("switch", "nothing is stopped: there is no state file yet")
                return
            yield from _switch(tx, settings)
            yield from _running(tx, now)
            yield from _approvals(tx, now)
            yield from _pins(tx, settings)
    except StateError:
        yield unchecked("switch", "the state file cannot be read: see above")


def _switch(tx: Transaction, settings: Settings) -> Iterator[Finding]:
    halt = tx.switch.look(settings.grant)
    if halt is None:
        yield ok("switch", "calls are not stopped", stopped=False)
    elif halt.of_everyone:
        yield failed(
            "switch", f"every call is refused: {_since(halt)}", "`keyid-gateway resume`, in a terminal", stopped=True
        )
    else:
        says = f"the grant `{shown(settings.grant)}` is revoked: {_since(halt)}"
        yield failed("switch", says, "choose another grant: `--grant`; `keyid-gateway grants` has them", stopped=True)


def _approvals(tx: Transaction, now: float) -> Iterator[Finding]:
    waiting = tx.approvals.count_pending(now)
    pin = tx.passcodes.get() is not None
    if waiting:
        verb = "waits" if waiting == 1 else "wait"
        yield warning(
            "approvals", f"{counted(waiting, 'call')} {verb} for a person", "`keyid-gateway approvals`", waiting=waiting
        )
    guarded = "a PIN is asked for with every answer" if pin else "no PIN is set (`keyid-gateway approvals pin set`)"
    yield ok("approvals", guarded, pin=pin)


def _pins(tx: Transaction, settings: Settings) -> Iterator[Finding]:
    known = tx.pins.of(settings.server)
    waiting = len({pin.key for pin in known if pin.how == "waiting"})
    accepted = len({pin.key for pin in known} - {("instructions", "")}) - waiting
    if settings.pins == "off":
        do = "take `pins` out of the settings, so that a tool that changes is noticed"
        yield warning("pins", "definitions of tools are not compared with what was accepted", do, mode="off")
    elif waiting:
        refused = " and are refused" if settings.pins == "enforce" else ""
        says = f"{counted(waiting, 'definition')} of the server changed or new, not accepted{refused}"
        yield warning("pins", says, "`keyid-gateway pins diff` shows them", mode=settings.pins, waiting=waiting)
    else:
        yield ok("pins", f"{counted(max(0, accepted), 'tool')} pinned (`{settings.pins}`)", mode=settings.pins)


def _since(halt: Halt) -> str:
    why = f" ({shown(halt.reason, 200)})" if halt.reason else ""
    return f"stopped since {local(halt.since):%Y-%m-%d %H:%M:%S %Z}{why}"


def _running(tx: Transaction, now: float) -> Iterator[Finding]:
    lives = [line.life(now) for line in tx.gateways.noted()]
    running = lives.count("running")
    yield ok(
        "running", f"{counted(running, 'gateway')} running" if running else "no gateway is running", gateways=running
    )
    if "gone" in lives:
        says = f"{counted(lives.count('gone'), 'gateway')} ended without saying so: killed, or by a power cut"
        yield warning("running", says, "look at the log of the gateway and of the client")
