"""The policy of the demonstration: small enough to be read, with one rule of each kind."""

from typing import Final

from gateway.jsonrpc import Json
from gateway.keyid import known_tools

CODES_PER_MINUTE: Final = 3
COLLEAGUES: Final = "example.com"
ARTIFICIAL_DESTRUCTIVE: Final = ("standin_destructive_1", "standin_destructive_2")


def document() -> dict[str, Json]:
    """Reading and signing up are open, mail goes to colleagues, codes are limited, what destroys is hidden."""
    known = known_tools().values()
    reading: dict[str, Json] = {tool.name: {} for tool in known if tool.category == "Read"}
    destructive: list[Json] = [tool.name for tool in known if tool.category == "Destructive"]
    return {
        "version": "1",
        "description": "The policy of `keyid-gateway demo`.",
        "default": "deny",
        "hide": [*destructive, *ARTIFICIAL_DESTRUCTIVE],
        "tools": {
            **reading,
            "get_totp_code": {"rate_limit": {"max": CODES_PER_MINUTE, "window": 60}},
            "start_registration_session": {},
            "wait_for_registration_artifact": {},
            "complete_registration_session": {},
            "send_email": {
                "require": [
                    {
                        "conditions": [
                            {"path": "args.to", "op": "regex", "value": r"^[A-Za-z0-9._+-]+@(?i:example\.com)$"}
                        ],
                        "on_deny": f"Mail goes to colleagues at {COLLEAGUES} only.",
                    }
                ],
                "deny_if": [
                    _absent("args.bcc[*]", "No blind copies."),
                    _absent("args.cc[*]", "No copies."),
                    _absent("args.reply_to", "Answers come back to this mailbox."),
                ],
            },
        },
    }


def _absent(path: str, words: str) -> Json:
    """What may not be given: an optional list cannot be required to match."""
    return {"conditions": [{"path": path, "op": "exists", "value": True}], "on_deny": words}
