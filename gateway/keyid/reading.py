"""The recommended pack, first part: what reads. The rest of it, and how the numbers were chosen: `recommended`.

Reading is free where it shows nothing but how things are. It is limited where one call returns a live credential (three
of these are published as low risk), where many calls copy a store, and where the question itself leaves the house.
"""

from typing import Final

from gateway.keyid.pack import Limit, Tool, spent

TOOLS: Final = (
    Tool("get_auto_reply", "Read"),
    Tool(
        "get_file",
        "Read",
        (
            Limit(60, "minute", "a file a second is already more than anybody reads"),
            Limit(600, "day", "enough to work through a folder, not to copy a store"),
        ),
    ),
    Tool("get_forwarding", "Read"),
    Tool("get_identity", "Read"),
    Tool(
        "get_message",
        "Read",
        (
            Limit(60, "minute", "sorting an inbox reads a message every few seconds"),
            Limit(
                1000, "day", "a full inbox and its threads, not ten years of mail; messages hold codes and links too"
            ),
        ),
    ),
    Tool("get_metrics", "Read"),
    Tool("get_page", "Read"),
    Tool("get_persona", "Read"),
    Tool("get_registration", "Read"),
    Tool(
        "get_registration_artifacts",
        "Read",
        (
            Limit(20, "minute", "hands out codes and magic links; an agent that polls looks every three seconds"),
            Limit(200, "day", "six looks for each of the sign-ups a day allows"),
        ),
    ),
    Tool(
        "get_registration_session",
        "Read",
        (
            Limit(20, "minute", "may hold saved browser state, which is a login; polled every three seconds at most"),
            Limit(300, "day", "ten looks for each of the sign-ups a day allows"),
        ),
    ),
    Tool("get_reputation", "Read"),
    Tool(
        "get_secret",
        "Read",
        (
            Limit(
                5, "minute", "a login needs one or two secrets; five names a minute is no way to guess through a vault"
            ),
            Limit(
                30,
                "day",
                "a day of work uses the same few secrets again and again",
                spent("secrets", "get_secret"),
            ),
        ),
    ),
    Tool("get_signature", "Read"),
    Tool(
        "get_thread",
        "Read",
        (
            Limit(30, "minute", "one call returns a whole conversation"),
            Limit(300, "day", "many more conversations than a person follows in a day"),
        ),
    ),
    Tool(
        "get_totp_code",
        "Read",
        (
            Limit(4, "minute", "a code lives for 30 seconds: two logins a minute, each with a second try"),
            Limit(
                30,
                "day",
                "nobody logs in thirty times a day; somebody who takes accounts over does",
                spent("TOTP codes", "get_totp_code"),
            ),
        ),
    ),
    Tool(
        "get_verification_codes",
        "Read",
        (
            Limit(6, "minute", "a code is asked for once it is expected: a look every ten seconds finds it"),
            Limit(60, "day", "two for each of the sign-ups a day allows"),
        ),
    ),
    Tool("get_webhook_deliveries", "Read"),
    Tool("list_contacts", "Read"),
    Tool("list_crons", "Read"),
    Tool("list_files", "Read"),
    Tool(
        "list_messages",
        "Read",
        (
            Limit(30, "minute", "one call returns up to a hundred messages"),
            Limit(500, "day", "a look a minute for a working day"),
        ),
    ),
    Tool("list_page_files", "Read"),
    Tool("list_pages", "Read"),
    Tool("list_registration_sessions", "Read"),
    Tool("list_registrations", "Read"),
    Tool(
        "list_threads",
        "Read",
        (
            Limit(30, "minute", "one call returns up to a hundred conversations"),
            Limit(500, "day", "a look a minute for a working day"),
        ),
    ),
    Tool("list_totp_entries", "Read"),
    Tool(
        "web_search",
        "Read",
        (
            Limit(20, "minute", "a query leaves the house with whatever was put into it; research asks a few a minute"),
            Limit(300, "day", "a day of research, not an open line out"),
        ),
    ),
)
