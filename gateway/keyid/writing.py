"""The recommended pack, second part: what writes and what executes. How the numbers were chosen: `recommended`.

Two tools stand here that are published as reading: `block_registration_session` changes a session, and
`follow_verification_link` makes the upstream open an address.
"""

from typing import Final

from gateway.keyid import patterns
from gateway.keyid.pack import Fits, Limit, Loop, Restrictions, Rule, Tool, deny_if, require, spent

WRITES: Final = Limit(30, "minute", "as published for writes")
EXECUTES: Final = Limit(10, "minute", "as published for executes")
LOOP: Final = Loop(3, 600, "tried, and tried again twice: what has failed by then will fail again, or is done twice")
"""Of every tool here but those that wait, which are called again with the same arguments until something came."""
HOURLY: Final = (
    "At most once an hour: five fields of numbers, the first a single one (`0 9 * * 1-5`), or `@daily` and the like."
)


def _no_keys(*arguments: str) -> tuple[Rule, ...]:
    return tuple(
        deny_if(
            (f"args.{name}", "regex", patterns.KEY_MATERIAL),
            says=f"no private key or TOTP seed in `{name}`",
            why="nobody sends these on purpose",
            on_deny=f"`{name}` holds a private key or a TOTP seed, which must not leave. Take it out.",
        )
        for name in arguments
    )


def _one_line(argument: str) -> Rule:
    return deny_if(
        (f"args.{argument}", "regex", patterns.LINE_BREAK),
        says=f"`{argument}` is one line",
        why="a second line could be a header, and that a recipient",
        on_deny=f"Give `{argument}` as one line, without control characters.",
    )


MAIL: Final[Restrictions] = (
    Fits("an argument that is not described, such as `Bcc`, could name somebody"),
    require(
        ("args.to", "regex", patterns.ONE_ADDRESS),
        says="one plain address in `to`",
        why="a list in one argument would be many mails for the price of one",
        on_deny="Give one plain address in `to` (name@host); up to five others may stand in `cc`.",
    ),
    deny_if(
        ("args.bcc[*]", "exists", True),
        says="no `bcc`",
        why="a recipient whom nobody sees is how mail is carried out",
        on_deny="Blind copies are not allowed. Use `cc`, or send a mail of its own.",
    ),
    deny_if(
        ("args.cc[5]", "exists", True),
        says="at most five in `cc`",
        why="a round of colleagues, not a mailing list",
        on_deny="Give at most five addresses in `cc`, as a list.",
    ),
    deny_if(
        ("args.cc[*]", "exists", False),
        says="no empty place in `cc`",
        why="what is left out of a list would hide how long it is",
        on_deny="Give only addresses in `cc`, no `null`.",
    ),
    deny_if(
        ("args.cc[*]", "regex", patterns.NO_PLAIN_ADDRESS),
        says="one plain address in each element of `cc`",
        why="as with `to`",
        on_deny="Give one plain address (name@host) in each element of `cc`.",
    ),
    deny_if(
        ("args.reply_to", "regex", patterns.SOMETHING),
        says="no `reply_to`",
        why="it sends the answers to somebody else",
        on_deny="Answers come back to this identity. Leave out `reply_to`.",
    ),
    _one_line("subject"),
    *_no_keys("subject", "body", "html"),
    Limit(20, "hour", "a mail every three minutes is brisk correspondence; spam needs hundreds"),
    Limit(
        60,
        "day",
        "more mails than most people write in a day",
        spent("mails", "send_email"),
    ),
)

AUTO_REPLY: Final[Restrictions] = (
    deny_if(
        ("args.enabled", "eq", True),
        ("args.end_date", "exists", False),
        says="switched on only with an `end_date`",
        why="it answers everybody who writes, long after the session",
        on_deny="Give the auto-reply an end: pass `end_date`.",
    ),
    deny_if(
        ("args.enabled", "eq", True),
        ("args.end_date", "regex", patterns.NO_DATE),
        says="an `end_date` that is a date, before 2040",
        why="what cannot be read, or is far away, is no end",
        on_deny="Give `end_date` as a date, like `2026-01-31` or `2026-01-31T18:00:00Z`.",
    ),
    _one_line("subject"),
    *_no_keys("subject", "body"),
    Limit(2, "hour", "it is switched on before an absence and off after it; changed often, it answers questions"),
    Limit(
        4,
        "day",
        "on, corrected, off, and one to spare",
        spent("changes of the auto-reply", "set_auto_reply"),
    ),
)

NEW_CRON: Final[Restrictions] = (
    require(
        ("args.webhook_url", "regex", patterns.PUBLIC_HOST),
        says="`webhook_url` is https to a public name",
        why="no address inside a network, no bare IP, no password in the URL",
        on_deny="`webhook_url` must be `https://` and a public host name, without user, port or IP address.",
    ),
    deny_if(
        ("args.webhook_url", "regex", patterns.PRIVATE_HOST),
        says="not to a private name",
        why="names like `.internal`, and public ones that stand for any address",
        on_deny="`webhook_url` names a private host. Use a public one.",
    ),
    require(
        ("args.cron_expr", "regex", patterns.ONCE_AN_HOUR),
        says="at most once an hour",
        why="a webhook that fires every minute is a beacon",
        on_deny=HOURLY,
    ),
    Limit(2, "hour", "it goes on after the session: a person sets one up, looks at it, and leaves it"),
    Limit(
        5,
        "day",
        "five new lasting jobs in a day are a project",
        spent("new crons", "create_cron"),
    ),
)

CHANGED_CRON: Final[Restrictions] = (
    deny_if(
        ("args.webhook_url", "regex", patterns.SOMETHING),
        says="`webhook_url` stays",
        why="a cron that a person has seen must not change its target",
        on_deny="The address of a cron cannot be changed. Create a new one; the person removes the old one.",
    ),
    deny_if(
        ("args.cron_expr", "regex", patterns.MORE_THAN_HOURLY),
        says="at most once an hour",
        why="as when it is created",
        on_deny=HOURLY,
    ),
    Limit(5, "hour", "a schedule is mended a few times, then it is right"),
    Limit(10, "day", "twice the crons that can be created in a day"),
)

LINK: Final[Restrictions] = (
    deny_if(
        ("args.url", "regex", patterns.SOMETHING),
        says="no free `url`",
        why="the upstream would open any address one gives it",
        on_deny="Only links in messages are followed. Leave out `url`; pass `message_id` and `link_index`.",
    ),
    require(
        ("args.message_id", "regex", patterns.SOMETHING),
        says="`message_id` names the message",
        why="a link must have come by mail or SMS",
        on_deny="Only links in messages are followed. Pass `message_id` and `link_index`.",
    ),
    Limit(5, "minute", "a sign-up has one link to confirm"),
    Limit(40, "day", "one for each of the sign-ups a day allows, and a few that failed"),
)

WRITE: Final = (
    Tool(
        "block_registration_session",
        "Write",
        (
            Limit(10, "minute", "ends a sign-up for good, though it is published as reading"),
            Limit(40, "day", "one for each of the sign-ups a day allows, and a few that failed"),
        ),
    ),
    Tool("complete_registration_session", "Write", (WRITES,)),
    Tool("create_cron", "Write", NEW_CRON),
    Tool(
        "create_or_update_persona",
        "Write",
        (
            Limit(10, "hour", "filled in once and corrected a few times"),
            Limit(30, "day", "a new person for every sign-up at most"),
        ),
    ),
    Tool(
        "create_page",
        "Write",
        (
            Limit(5, "hour", "public at once; a page is thought about before it is opened"),
            Limit(10, "day", "a site, not a field of bait"),
        ),
    ),
    Tool("follow_verification_link", "Write", LINK),
    Tool(
        "provision_identity",
        "Write",
        (
            Limit(10, "hour", "some agents call it at every start, where it changes nothing"),
            Limit(30, "day", "a start every half an hour of a long day"),
        ),
    ),
    Tool(
        "put_secret",
        "Write",
        (
            Limit(5, "minute", "a sign-up stores a name, a password and a few recovery codes"),
            Limit(60, "day", "two for each of the sign-ups a day allows; overwriting a whole vault takes more"),
        ),
    ),
    Tool(
        "request_phone_number",
        "Write",
        (
            Limit(2, "hour", "a number costs money, and an identity has one at most"),
            Limit(4, "day", "one, and a few tries that failed"),
        ),
    ),
    Tool(
        "save_browser_state",
        "Write",
        (
            Limit(10, "hour", "replaces a login: somebody else's state puts the person into somebody else's account"),
            Limit(40, "day", "one for each of the sign-ups a day allows, and a few more"),
        ),
    ),
    Tool("save_registration", "Write", (WRITES, Limit(200, "day", "six notes on each of the sign-ups a day allows"))),
    Tool("send_email", "Write", MAIL),
    Tool("set_auto_reply", "Write", AUTO_REPLY),
    Tool(
        "store_file",
        "Write",
        (
            deny_if(
                ("args.is_public", "eq", True),
                says="not `is_public`",
                why="a public file is a way out that nobody looks at",
                on_deny="Files stay private. Leave out `is_public`; what is to be public goes on a page.",
            ),
            _one_line("content_type"),
            WRITES,
            Limit(300, "day", "the results of a busy day, not a store for hire"),
        ),
    ),
    Tool("update_cron", "Write", CHANGED_CRON),
    Tool(
        "update_message",
        "Write",
        (WRITES, Limit(600, "day", "a full inbox, marked once; marking as read also hides an alarm")),
    ),
    Tool(
        "update_page",
        "Write",
        (
            Limit(20, "hour", "a title is polished a few times"),
            Limit(60, "day", "several rounds over every page of a day"),
        ),
    ),
    Tool(
        "upload_page_file",
        "Write",
        (
            *_no_keys("content"),
            _one_line("content_type"),
            Limit(20, "minute", "public at once; a small site goes up in one go"),
            Limit(200, "day", "a site that is built and rebuilt all day"),
        ),
    ),
)

EXECUTE: Final = (
    Tool(
        "start_registration_session",
        "Execute",
        (
            EXECUTES,
            Limit(
                30,
                "day",
                "signing up at thirty services a day is a farm of accounts",
                spent("sign-ups", "start_registration_session"),
            ),
        ),
    ),
    Tool(
        "wait_for_message",
        "Execute",
        (EXECUTES, Limit(300, "day", "each waits for up to minutes: two hours of waiting and more")),
    ),
    Tool(
        "wait_for_registration_artifact",
        "Execute",
        (EXECUTES, Limit(150, "day", "hands out codes and links; five waits for each of the sign-ups a day allows")),
    ),
)

WAITS: Final = frozenset({"wait_for_message", "wait_for_registration_artifact"})
"""What is called again, as it was, until something came."""
