"""Ten tools that no product has: they exercise the protocol, so that a test can see what a relay does with it."""

from typing import cast

import anyio
from mcp_types import (
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    ListRootsRequest,
    LoggingLevel,
    SamplingMessage,
    TextContent,
)

from gateway.standin.identity import Post
from gateway.standin.identity.mailbox import Channel
from gateway.standin.tools.call import Call, Structured


def echo(call: Call) -> Structured:
    return {"echo": call.given.raw}


async def sample(call: Call) -> Structured:
    question = TextContent(type="text", text=call.given.maybe("prompt") or "Say something short.")
    params = CreateMessageRequestParams(
        messages=[SamplingMessage(role="user", content=question)],
        max_tokens=call.given.integer("max_tokens", 64),
    )
    return {"answer": await call.live.ask(CreateMessageRequest(params=params))}


async def elicit(call: Call) -> Structured:
    params = ElicitRequestFormParams(
        message=call.given.maybe("message") or "What is your favourite colour?",
        requested_schema={
            "type": "object",
            "properties": {"answer": {"type": "string", "title": "Answer"}},
            "required": ["answer"],
        },
    )
    return {"answer": await call.live.ask(ElicitRequest(params=params))}


async def roots(call: Call) -> Structured:
    return {"answer": await call.live.ask(ListRootsRequest())}


async def emit(call: Call) -> Structured:
    count = call.given.integer("count", 1)
    level = cast(LoggingLevel, call.given.maybe("level") or "info")
    for number in range(1, count + 1):
        await call.live.log(level, {"number": number, "of": count})
        await call.live.progress(number, count, f"{number} of {count}")
    return {"emitted": count, "level": level}


async def extra(call: Call) -> Structured:
    present = call.given.flag("present")
    await call.live.show_extra(present=present)
    return {"present": present}


async def sleep(call: Call) -> Structured:
    seconds = call.given.number("seconds", 0)
    await anyio.sleep(seconds)
    return {"slept": seconds}


def deliver(call: Call) -> Structured:
    given = call.given
    channel = cast(Channel, given.text("channel"))
    post = Post(channel, given.text("from"), given.maybe("subject") or "", given.text("body"))
    return {"message": call.identity.receive(post).as_json()}


def wipe(call: Call) -> Structured:
    call.identity.reset()
    return {"wiped": True}


async def pull_rug(call: Call) -> Structured:
    await call.live.pull_rug()
    return {"changed": "get_metrics"}


def extra_itself(_: Call) -> Structured:
    return {"extra": True}
