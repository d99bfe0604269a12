from gateway.keyid import pack
from gateway.keyid.pack import Fits, Limit, Loop, Tool


def test_a_table_becomes_a_document() -> None:
    no_copies = pack.deny_if(("args.bcc[*]", "exists", True), says="no `bcc`", why="nobody sees it", on_deny="No bcc.")
    colleagues = pack.require(
        ("args.to", "regex", "@example.com$"), says="colleagues", why="work", on_deny="Only colleagues."
    )
    hourly, daily = Limit(20, "hour", "brisk"), Limit(60, "day", "a lot", on_deny="No more.")
    tools = (Tool("get_identity", "Read"), Tool("send_email", "Write", (no_copies, colleagues, hourly, daily)))

    assert pack.document(tools, description="A pack.", hide=("delete_file",), brakes=(Limit(120, "minute", "x"),)) == {
        "version": "1",
        "description": "A pack.",
        "default": "deny",
        "hide": ["delete_file"],
        "all_tools": {"limits": [{"counter": "calls", "window": "minute", "max": 120, "scope": "grant"}]},
        "tools": {
            "get_identity": {},
            "send_email": {
                "action": "allow",
                "reason": "20/hour: brisk. 60/day: a lot.",
                "validate": {"required_args": True},
                "require": [
                    {
                        "conditions": [{"path": "args.to", "op": "regex", "value": "@example.com$"}],
                        "on_deny": "Only colleagues.",
                    }
                ],
                "deny_if": [
                    {"conditions": [{"path": "args.bcc[*]", "op": "exists", "value": True}], "on_deny": "No bcc."}
                ],
                "limits": [
                    {"counter": "send_email_rate", "window": "hour", "max": 20, "scope": "grant"},
                    {
                        "counter": "send_email_rate",
                        "window": "day",
                        "max": 60,
                        "scope": "grant",
                        "on_deny": "No more.",
                    },
                ],
            },
        },
    }


def test_arguments_that_must_fit_are_checked_against_the_schema() -> None:
    tool = Tool("send_email", "Write", (Fits("nothing else is sent"), Limit(5, "hour", "few")))
    tools = pack.document((tool,), description="", hide=(), brakes=())["tools"]
    assert isinstance(tools, dict)
    assert tools["send_email"] == {
        "action": "allow",
        "reason": "5/hour: few.",
        "validate": {"required_args": True, "schema": True},
        "limits": [{"counter": "send_email_rate", "window": "hour", "max": 5, "scope": "grant"}],
    }


def test_an_entry_has_no_empty_lists() -> None:
    document = pack.document(
        (Tool("put_secret", "Write", (Limit(5, "minute", "few"),)),), description="", hide=(), brakes=()
    )
    assert document["tools"] == {
        "put_secret": {
            "action": "allow",
            "reason": "5/minute: few.",
            "validate": {"required_args": True},
            "limits": [{"counter": "put_secret_rate", "window": "minute", "max": 5, "scope": "grant"}],
        }
    }


def test_the_same_call_again_and_again_is_refused_by_repeat() -> None:
    slow, fast = Loop(3, 600, "twice is enough"), Loop(40, 60, "polling is slower")
    document = pack.document((Tool("send", "Write", (slow,)),), description="", hide=(), brakes=(), loop=fast)
    assert document["all_tools"] == {"limits": [], "repeat": {"max": 40, "window": 60}}
    entry = {"action": "allow", "reason": "", "validate": {"required_args": True}, "repeat": {"max": 3, "window": 600}}
    assert document["tools"] == {"send": entry}
    assert (slow.says, fast.says) == (
        "the very same call 3 times in 10 minutes",
        "the very same call 40 times in a minute",
    )


def test_a_day_that_is_used_up_is_for_a_person() -> None:
    assert pack.spent("mails", "send_email") == (
        "No more mails today (the day ends at 00:00 UTC). Tell the person: only they can raise `send_email`."
    )
