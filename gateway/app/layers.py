"""Which policies a gateway keeps to: the site's, the project's, the grant's own, and the one that it was given."""

from gateway.app.surroundings import OpenState
from gateway.assigned import Assigned
from gateway.keyid.recommended import policy as recommended_policy
from gateway.layered import Layered, overlay
from gateway.policies import Changed, Policies, Rejected, Source, choose, exists
from gateway.settings import Settings


def layered(settings: Settings, state: OpenState, *, changed: Changed, rejected: Rejected) -> Layered:
    """All of them as one; `changed` hears that another policy is in force, `rejected` that an edit is not taken."""

    def replaced(*_: object) -> None:
        layers.replaced()

    async def own_policy() -> str | None:
        return (await state.get()).own_policy(settings.grant)

    async def choose_source() -> Source:
        used: str | None = None
        if settings.policy is None and not exists(settings.user_policy):
            used = (await state.get()).policy_used(settings.grant)
        return choose(settings.policy, settings.user_policy, used, settings.grant)

    overlays = [overlay(file, layer, changed=replaced, rejected=rejected) for file, layer in settings.overlays]
    own = Assigned(own_policy, changed=replaced, rejected=rejected)
    user = Policies(choose_source, recommended_policy, changed=replaced, rejected=rejected)
    layers = Layered(user, (*overlays, own), changed=changed)
    return layers
