"""What must not be written down: names of arguments that hold secrets or contents, and what secrets look like.

For the audit log, where the owner asked it to keep values. It errs on the side of keeping less: a name or a text that
only looks like a secret is not kept either. Nothing here decides about a call.
"""

import itertools
import re
from typing import Final, Literal, TypeAlias

Why: TypeAlias = Literal["secret name", "content", "looks like a secret"]

_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SECRETS: Final = frozenset(
    {
        "auth",
        "authorization",
        "cookie",
        "cookies",
        "credential",
        "credentials",
        "cvc",
        "cvv",
        "iban",
        "jwt",
        "mnemonic",
        "otp",
        "passphrase",
        "passwd",
        "password",
        "pin",
        "pwd",
        "secret",
        "secrets",
        "seed",
        "ssn",
        "token",
        "tokens",
        "totp",
        "apikey",
    }
)
_SECRET_PAIRS: Final = frozenset({("api", "key"), ("private", "key"), ("access", "key"), ("secret", "key")})
_SECRET_WHOLE: Final = frozenset({"code", "value"})
"""`value` is what KeyID's `put_secret` stores, `code` what its verifications send."""
_CODES: Final = frozenset(
    {
        "auth",
        "confirmation",
        "login",
        "mfa",
        "one",
        "otp",
        "security",
        "sms",
        "time",
        "verification",
        "verify",
    }
)
_IDS: Final = frozenset({"id", "ids", "name", "type"})
"""What ends with one of these names a secret, and is none."""
_CONTENTS: Final = frozenset(
    {
        "attachment",
        "attachments",
        "body",
        "content",
        "contents",
        "data",
        "html",
        "message",
        "raw",
        "text",
    }
)
_SHAPES: Final = re.compile(
    r"""eyJ[\w-]{8}                                             # a JSON web token
      | (?i:\b(?:bearer|basic)\s+[\w.~+/=-]{8})
      | -----BEGIN\ [A-Z\ ]{0,40}PRIVATE\ KEY
      | (?i:otpauth://)
      | \b(?:sk|pk|rk|gh[a-z]|github_pat|glpat|xox[a-z]|npm|pypi|whsec|shpat|hf|dop)[-_][\w-]{12}
      | \b(?:AKIA|ASIA|AIza|ya29)[\w.-]{12}
      | ://[^/\s:@]{0,100}:[^/\s@]{1,100}@                      # credentials in a URL
      | (?i:[?&\#](?:access_token|api_?key|code|key|password|secret|sig|signature|token)=[^&\s])
      | [0-9A-Fa-f]{32}
      | [A-Za-z0-9+/_=-]{40}""",
    re.VERBOSE,
)


def of_name(name: str) -> Why | None:
    """Why the value of an argument of this name is not to be kept; None where the name says nothing."""
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words or words[-1] in _IDS:
        return None
    whole = "".join(words)
    if whole in _CONTENTS:
        return "content"
    secret = (
        whole in _SECRET_WHOLE
        or not _SECRETS.isdisjoint(words)
        or not _SECRET_PAIRS.isdisjoint(itertools.pairwise(words))
        or (words[-1] in ("code", "codes") and not _CODES.isdisjoint(words))
    )
    return "secret name" if secret else None


def of_text(text: str) -> Why | None:
    """Why a text is not to be kept; None where nothing in it looks like a secret."""
    return "looks like a secret" if _SHAPES.search(text) else None
