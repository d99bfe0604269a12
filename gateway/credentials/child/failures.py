"""Why a sign-in or a renewal stopped: each in one sentence, with its cure."""

import re
from typing import Final

from gateway.credentials.client import Client
from gateway.credentials.helper import Failed

_ODD: Final = re.compile(r"[^ -~]")
_LONGEST: Final = 200


class Stopped(Exception):
    """There will be no token this time."""

    def __init__(self, code: str, message: str, hint: str | None = None, *, lasting: bool = True) -> None:
        super().__init__(message)
        self.failed = Failed(code, message, hint, lasting)


def plain(text: object) -> str:
    """What somebody else said, fit for one line of a log."""
    return _ODD.sub("?", str(text))[:_LONGEST]


def not_signed_in(client: Client, *, ended: bool = False) -> Stopped:
    """`ended`: somebody was, the server takes that no longer, and it cannot be renewed."""
    said = f"the sign-in to `{client.server}` has ended" if ended else f"not signed in to `{client.server}`"
    return Stopped("not signed in", said, f"run `{client.login}`")


def no_upstream(client: Client) -> Stopped:
    return Stopped(
        "unavailable", f"`{client.server}` does not answer", "is it up, and is `--upstream` right?", lasting=False
    )


def sign_in_ended(client: Client, issuer: str, error: str) -> Stopped:
    return Stopped(
        "refresh refused",
        f"the sign-in to `{client.server}` has ended: `{plain(issuer)}` refuses to renew it ({plain(error)})",
        f"run `{client.login}`",
    )


def unavailable(where: str, why: str) -> Stopped:
    return Stopped(
        "unavailable", f"the authorization server at `{plain(where)}` {why}", "try again in a moment", lasting=False
    )


def no_metadata(client: Client) -> Stopped:
    return Stopped(
        "no metadata",
        f"`{client.server}` does not say where to sign in: it publishes no OAuth metadata",
        "if it wants a fixed token, pass `--header 'Authorization: env:NAME'`",
    )


def no_pkce(issuer: str) -> Stopped:
    return Stopped(
        "no PKCE",
        f"`{plain(issuer)}` does not offer PKCE with S256, without which a sign-in can be stolen on its way",
        "nothing was sent; whoever runs that authorization server has to enable it",
    )


def other_issuer(client: Client, found: object, expected: object) -> Stopped:
    return Stopped(
        "issuer",
        f"the authorization server is `{plain(found)}` where `{plain(expected)}` was expected: nothing was sent to it",
        f"if it was moved on purpose: `{client.logout}`, correct --oauth-issuer, and sign in again",
    )


def registration(issuer: str, said: str) -> Stopped:
    return Stopped(
        "registration",
        f"`{plain(issuer)}` does not register this gateway as a client by itself ({plain(said)})",
        "register one there, and pass --oauth-client-id (and its secret in KEYID_GATEWAY_OAUTH_CLIENT_SECRET)",
    )


def exchange(issuer: str, error: str) -> Stopped:
    cure = "check --oauth-client-id and its secret" if error == "invalid_client" else "try to sign in again"
    return Stopped("exchange", f"`{plain(issuer)}` refuses to issue a token ({plain(error)})", cure)


def denied(issuer: object, error: str) -> Stopped:
    return Stopped("denied", f"the sign-in was not granted: `{plain(issuer)}` says {plain(error)}", "try again")


def nobody_came(client: Client, seconds: float) -> Stopped:
    return Stopped(
        "nobody",
        f"nobody finished the sign-in to `{client.server}` within {seconds:.0f} s",
        f"try again; if the page said that the client is unknown, `{client.logout}` first",
    )


def no_browser(client: Client) -> Stopped:
    return Stopped(
        "no browser",
        f"`{client.server}` wants a sign-in, and no browser could be opened here",
        f"run `{client.login} --no-browser` in a terminal",
    )


def address(url: str, why: str) -> Stopped:
    return Stopped(
        "address",
        f"the upstream names `{plain(url)}` for the sign-in, which is not opened: {why}",
        "nothing was sent there; ask whoever runs the server; if it is meant, name it with --oauth-issuer",
    )


_SAID: Final = (
    ("Authorization server metadata issuer mismatch", "issuer", "its metadata names another issuer"),
    ("Authorization response", "issuer", "the answer of the browser came from another issuer, or from none"),
    ("Protected resource metadata request failed", "unavailable", "the upstream's own metadata cannot be read now"),
    ("Protected resource", "resource", "the upstream's metadata is that of another server"),
    ("State parameter mismatch", "state", "the answer of the browser belongs to another sign-in"),
    ("Registered client uses unsupported", "registration", "it wants a way of authentication that is not spoken here"),
    ("Authorization server registered", "registration", "it wants a way of authentication that is not spoken here"),
)


def of_the_sdk(client: Client, message: str) -> Stopped:
    """What the SDK's client refused to go on with. Its own words are not repeated: they may quote what is secret."""
    for beginning, code, why in _SAID:
        if message.startswith(beginning):
            return Stopped(code, f"the sign-in to `{client.server}` stopped: {why}", "tell whoever runs the server")
    return Stopped("flow", f"the sign-in to `{client.server}` stopped: an answer on the way was not as it must be")
