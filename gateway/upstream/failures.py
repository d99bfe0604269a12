"""Why there is no answer, in the words that a person reads: one sentence, and its cure.

Pure: a status, headers, an error of the system go in, words come out. The commands for people use the same.
"""

import os
import re
import socket
import ssl
from collections.abc import Mapping
from typing import Final

from gateway.credentials import is_credential
from gateway.policy.problem import quoted
from gateway.upstream.origin import FOLLOWED, MOST_REDIRECTS, shown

_LONGEST_WAIT: Final = 86_400
"""Seconds that a server may ask for in earnest."""
_DIGITS: Final = re.compile("[0-9]+")
_NUMBER: Final = re.compile(r"\[Errno (\d+)\]")


def reason(error: OSError) -> str:
    """What the operating system says, as one phrase."""
    if isinstance(error, socket.gaierror):
        return "its name cannot be resolved"
    if error.errno is None:  # one for every address that the name has, in the words of the library
        numbers = dict.fromkeys(map(int, _NUMBER.findall(str(error))))
        said = " and ".join(os.strerror(number) for number in numbers) or str(error)
    else:
        said = os.strerror(error.errno)
    return said.lower() or "connection lost"


def no_tls(error: ssl.SSLError) -> tuple[str, str]:
    """Why there is no TLS with a server, and what to do about it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        cure = "have its authority trusted by this system, or check `--upstream`"
        return f"its certificate is not trusted: {error.verify_message.lower()}", cure
    said = (getattr(error, "reason", None) or "handshake failed").replace("_", " ").lower()
    return f"no TLS connection: {said}", "does it speak https at this port?"


def unreachable(error: OSError) -> str:
    """Why no connection was made."""
    if isinstance(error, ssl.SSLError):
        said, cure = no_tls(error)
        return f"cannot connect to the upstream: {said}: {cure}"
    return f"cannot connect to the upstream: {reason(error)}: is it up, and is `--upstream` right?"


def unusable(status: int, headers: Mapping[str, str], given: Mapping[str, str], wait: int | None) -> str:
    """Why an answer is none, by its status and its headers; `given` are those of the settings."""
    match status:
        case 401 | 403:
            return _not_let_in(status, given)
        case 404:
            return "the upstream has no MCP server at this address (HTTP 404): check `--upstream`"
        case 429:
            return f"the upstream is limiting requests (HTTP 429){_when(wait, '')}"
        case _ if 300 <= status < 400:
            return _redirected(status, headers.get("location", ""))
        case _ if status >= 500:
            return f"the upstream failed (HTTP {status}){_when(wait, ': try again later')}"
        case _ if status < 300:
            content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
            what = f"with {quoted(content_type)}" if content_type else "without content"
            return f"the upstream answered HTTP {status} {what}, not with a JSON-RPC message"
        case _:
            return f"the upstream refused the request (HTTP {status})"


def endless(status: int) -> str:
    """Why a redirect was not followed though it leads to where redirects may lead."""
    return f"the upstream redirects (HTTP {status}) more than {MOST_REDIRECTS} times in a row: check `--upstream`"


def retry_after(headers: Mapping[str, str], now: float) -> int | None:
    """How many seconds a server asks to wait (RFC 9110, section 10.2.3): a number, or a date.

    A date is read against the server's own clock where it tells it, so that ours need not agree with it.
    """
    if "retry-after" not in headers:
        return None
    value = headers["retry-after"].strip()
    if _DIGITS.fullmatch(value):
        return min(int(value[:9]), _LONGEST_WAIT)
    then = _seconds(value)
    if then is None:
        return None
    return min(max(0, round(then - (_seconds(headers.get("date", "")) or now))), _LONGEST_WAIT)


def _seconds(date: str) -> float | None:
    """An HTTP date in seconds since the epoch."""
    if not date:
        return None
    from email.utils import parsedate_to_datetime  # only for a date: it costs some milliseconds of the start

    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def _when(wait: int | None, otherwise: str) -> str:
    return f": try again in {wait} s" if wait else otherwise


def _not_let_in(status: int, given: Mapping[str, str]) -> str:
    """401 and 403: what they mean depends on whether credentials were given."""
    names = [name for name in given if is_credential(name)]
    shown_names = " and ".join(f"`{name}`" for name in names)
    if status == 403:
        if not names:
            return "the upstream forbids this (HTTP 403), and no credentials were given: does it want `--header`?"
        return f"the upstream forbids this (HTTP 403): the credentials in {shown_names} do not permit it"
    if not names:
        return "the upstream wants a sign-in (HTTP 401): pass credentials with `--header 'Authorization: env:NAME'`"
    bare = next((name for name in names if name.lower() == "authorization" and " " not in given[name].strip()), None)
    cure = f": the value of `{bare}` has no scheme; should it begin with `Bearer `?" if bare else ""
    return f"the upstream does not accept the credentials in {shown_names} (HTTP 401): wrong or expired{cure}"


def _redirected(status: int, location: str) -> str:
    where = f"the upstream redirects (HTTP {status}) to {shown(location)}"
    if status in FOLLOWED and location:
        return f"{where}, another origin, where nothing was sent: is that the right `--upstream`?"
    return f"{where}: is that the right `--upstream`?"
