"""What the checks are handed, and how they run: beside each other, each for so long, none able to take another down.

Every check has a thread of its own that the program does not wait for at its end: one that hangs is left behind.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from gateway.cli.checkup.finding import Finding, failed, unchecked
from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.settings import Settings, Sources

SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Examined:
    """What the checks look at. `settings` and `sources` are None where they make no sense: `trouble` says why."""

    flags: Mapping[str, Sequence[str]]
    environment: Mapping[str, str]
    home: Path
    clock: Clock
    sources: Sources | None
    settings: Settings | None
    trouble: GatewayError | None

    @property
    def known(self) -> Settings:
        """The settings, for the checks that are run only where there are any."""
        if self.settings is None:
            raise ValueError("a check that needs the settings is run without them")
        return self.settings


Looks: TypeAlias = Callable[[Examined], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Check:
    """One check; `seconds` is how long it may take."""

    name: str
    look: Looks
    seconds: float = SECONDS
    needs_settings: bool = True


@dataclass(slots=True)
class _Run:
    """A check under way: what it has found so far, and whether it has come to its end."""

    check: Check
    found: list[Finding] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def go(self, examined: Examined) -> None:
        try:
            for finding in self.check.look(examined):
                self.found.append(finding)
        except GatewayError as error:
            self.found.append(failed(self.check.name, error.message, error.hint))
        except Exception as error:  # noqa: BLE001 - a check that breaks must not take the others down
            why = f"the check itself broke ({type(error).__name__}): this is a fault of keyid-gateway, not yours"
            self.found.append(unchecked(self.check.name, why))
        finally:
            self.ended.set()


def examine(checks: Sequence[Check], examined: Examined) -> Iterator[Finding]:
    """What all of them find, in their order, each as soon as those before it have ended."""
    runs = [_Run(check) for check in checks if examined.settings is not None or not check.needs_settings]
    started = examined.clock.monotonic()
    for run in runs:
        threading.Thread(target=run.go, args=(examined,), daemon=True, name=run.check.name).start()
    by_name = {run.check.name: run for run in runs}
    for check in checks:
        current = by_name.get(check.name)
        if current is None:
            yield unchecked(check.name, "the settings cannot be read: see above")
            continue
        left = started + check.seconds - examined.clock.monotonic()
        in_time = current.ended.wait(max(0.0, left))
        yield from list(current.found)
        if not in_time:
            yield unchecked(check.name, f"it took longer than {check.seconds:.0f} s")
