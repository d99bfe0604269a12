"""The layers of a policy: the site's, the grant's own, the user's and the project's. A call needs every one of them.

- **site**: a file that an administrator keeps where this user cannot write (`Settings.site_policies`). It needs no
  setting, and none turns it off.
- **grant**: a file that was assigned to this grant when it was created, if one was (`assigned`).
- **user**: what `policies` chooses: `--policy`, else the user's file, else the built-in pack.
- **project**: a file of the folder the agent works in, only where a setting names it.

A layer whose file does not exist restricts nothing, until it appears. One that is broken when it is first read refuses
every call with the cause; so does a site layer that an edit breaks. For the rest the rules of `policies` hold for each:
an edit is taken whole or not at all, and a file that vanishes changes nothing for as long as the gateway runs, so that
an agent that works in the project cannot loosen anything by taking the project's file away (bypass class B32).
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from gateway.policies import Changed, InForce, NoPolicy, Policies, Rejected, Source, exists
from gateway.policy import Layer, Policy, compose
from gateway.policy.layers import unrestricted


class Overlay(InForce, Protocol):
    """A layer that is followed."""

    async def watch(self) -> None: ...


class Layered:
    """The policy in force, of all layers. `changed(old, new)` hears of a replacement of any of them."""

    def __init__(self, user: Policies, overlays: Sequence[Overlay], *, changed: Changed) -> None:
        self._user = user
        self._layers = (user, *overlays)
        self._changed = changed
        self._parts: Sequence[Policy | NoPolicy | None] = [None] * len(self._layers)
        self._whole: Policy | NoPolicy = NoPolicy("it is being loaded")
        self.loaded = False
        """Whether `current` waits for nothing any more: what was loaded once is replaced, and never gone."""

    @property
    def in_force(self) -> Policy | NoPolicy:
        """What is in force at this moment, which decides; `current` sees to it that there is something."""
        for layer, known in zip(self._layers, self._parts, strict=True):
            if layer.in_force is not known:
                user, *others = [each.in_force for each in self._layers]
                self._whole, self._parts = together(user, others), (user, *others)
                break
        return self._whole

    @property
    def file(self) -> str | None:
        """The file that the user's policy came from; None for the built-in pack."""
        return self._user.file

    async def current(self) -> Policy | NoPolicy:
        """What is in force, loaded if it never was. Raises `StateError` where the state must be asked and cannot."""
        for layer in reversed(self._layers):
            await layer.current()
        whole = self.in_force
        self.loaded = self.loaded or not isinstance(whole, NoPolicy)  # a layer that nobody could look up is asked again
        return whole

    async def watch(self) -> None:
        """Follow the files of all layers for ever."""
        async with asyncio.TaskGroup() as group:
            for one in self._layers:
                group.create_task(one.watch())

    def replaced(self) -> None:
        """One of the layers was replaced."""
        old = self._whole
        self._changed(old, self.in_force)


def together(user: Policy | NoPolicy, others: Sequence[Policy | NoPolicy]) -> Policy | NoPolicy:
    """The user's policy with the other layers, as far as they say anything; none where one of them is none."""
    found: list[Policy] = []
    for other in others:
        if isinstance(other, NoPolicy):
            return other
        if other.text:
            found.append(other)
    return user if isinstance(user, NoPolicy) else compose(user, found)


def overlay(file: Path, layer: Layer, *, changed: Changed, rejected: Rejected) -> Policies:
    """A layer that is read from one file, if it is there."""

    async def choose() -> Source:
        return Source(file) if exists(file) else Source(None, awaited=file)

    return Policies(
        choose, lambda: unrestricted(layer), changed=changed, rejected=rejected, layer=layer, strict=layer == "site"
    )
