"""The charges of a call, for one grant and session at one server."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from gateway.jsonrpc import Json
from gateway.policy.decision import Limit
from gateway.state.counters import Charge, charge_for, charges_for

_MOST_KEPT: Final = 10_000


class Charging:
    """Makes charges. Those that do not depend on the arguments are made once: their counter keeps its name."""

    def __init__(self, *, server: str, grant: str, session: str) -> None:
        self._server = server
        self._grant = grant
        self._session = session
        self._kept: dict[int, Charge] = {}  # by `id`, of limits that are kept with their charges
        self._whole: dict[tuple[int, ...], tuple[Sequence[Limit], Sequence[Charge]]] = {}  # the same, of whole calls

    def of(
        self, limits: Sequence[Limit], arguments: Mapping[str, Json], digest: Callable[[bytes], str]
    ) -> Sequence[Charge]:
        """Everything that a call is to be charged. `digest` names the counters of values that are counted apart."""
        names = tuple(map(id, limits))
        known = self._whole.get(names)
        if known is not None:
            return known[1]
        charges = tuple(self._each(limits, arguments, digest))
        if all(limit.cost is None and limit.per is None for limit in limits):
            if len(self._whole) >= _MOST_KEPT:
                self._whole.clear()
            self._whole[names] = limits, charges
        return charges

    def _each(
        self, limits: Sequence[Limit], arguments: Mapping[str, Json], digest: Callable[[bytes], str]
    ) -> Iterator[Charge]:
        for limit in limits:
            if limit.cost is None and limit.per is None:
                yield self._plain(limit)
            else:
                yield from charges_for(
                    limit, arguments, server=self._server, grant=self._grant, session=self._session, digest=digest
                )

    def _plain(self, limit: Limit) -> Charge:
        charge = self._kept.get(id(limit))
        if charge is None or charge.limit is not limit:
            charge = charge_for(limit, server=self._server, grant=self._grant, session=self._session)
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[id(limit)] = charge
        return charge
