"""The policy: whether there is one that can be taken, which it is, and what one might regret of it."""

from collections.abc import Iterator
from typing import Final

from gateway.authoring.lint import lint
from gateway.catalogue import Catalogue
from gateway.cli.checkup.examination import Examined
from gateway.cli.checkup.finding import Finding, failed, ok, warning
from gateway.cli.in_force import policy_in_force, state
from gateway.cli.words import counted
from gateway.errors import StateError
from gateway.keyid import known_tools
from gateway.policies import choose, observed
from gateway.policy import PolicyError
from gateway.settings import Settings
from gateway.state import lists

_KEYID: Final = "keyid.ai"


def check(examined: Examined) -> Iterator[Finding]:
    """The lines about the policy."""
    settings = examined.known
    blocked = _blocked(settings)
    if blocked is not None:
        yield failed("policy", f"`run` refuses every call: {blocked}", "give it a policy, as that says")
    try:
        in_force = policy_in_force(settings, quiet=True)
    except PolicyError as error:
        said, _, hint = error.problems[0].report(error.name).partition("\n")
        number = counted(len(error.problems), "mistake")
        cure = hint.strip().removeprefix("hint: ")
        cure += f"{'' if cure.endswith('?') else ';'} `keyid-gateway policy check` shows all of it"
        yield failed("policy", f"{number} in the policy, so every call is refused: {said}", cure)
        return
    policy = in_force.policy
    yield ok("policy", f"{in_force.name} is valid (revision {policy.revision[:16]})", revision=policy.revision)
    announced = lists.last(settings.state, settings.server)
    if in_force.file is None and not _is_keyid(settings.server, announced):
        yield warning(
            "policy",
            "the built-in pack is in force, which is written for KeyID: of another server it permits next to nothing",
            "`keyid-gateway policy init --live FILE` writes a policy of this server's tools",
        )
    for words in observed(policy):
        yield warning("policy", words, "take `mode` out of the policy once you have seen enough")
    findings = lint(policy, announced)
    warnings = len(policy.warnings) + sum(item.level == "warning" for item in findings)
    if warnings:
        yield warning(
            "policy", f"{counted(warnings, 'warning')} about the policy", "`keyid-gateway policy check` has them"
        )


def _is_keyid(server: str, announced: Catalogue | None) -> bool:
    """Whether the pack is for this server: KeyID itself, or one whose tools are mostly those of KeyID."""
    names = () if announced is None else announced.names()
    return _KEYID in server or 2 * sum(name in known_tools() for name in names) > len(names)


def _blocked(settings: Settings) -> str | None:
    """Why there is no policy though one could be read; None where that is not so."""
    try:
        with state(settings.state) as opened:
            used = None if opened is None else opened.grants.policy_used(settings.grant)
    except StateError:  # said by the check of the state file
        return None
    return choose(settings.policy, settings.user_policy, used, settings.grant).blocked
