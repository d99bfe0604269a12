"""How announced tools stand to what was accepted of the server, as `pins` in `enforce` has it: for who looks before."""

from gateway.catalogue import Catalogue
from gateway.policy.decision import Pin
from gateway.settings import Settings
from gateway.state import Transaction


def not_kept(opened: Transaction | None, settings: Settings, announced: Catalogue) -> dict[str, Pin]:
    """The tools whose calls are refused until a person has accepted them, and why; none under `warn` and `off`.

    Of a server that no gateway has seen, everything is accepted at the first sight.
    """
    if settings.pins != "enforce" or opened is None or opened.pins.generation(settings.server) is None:
        return {}
    accepted = opened.pins.accepted(settings.server)
    found: dict[str, Pin] = {}
    for name in announced.names():
        digests = accepted.get(("tool", name))
        if digests is None:
            found[name] = "new"
        elif announced.digest(name) not in digests:
            found[name] = "changed"
    return found
