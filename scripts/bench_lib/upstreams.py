"""What everybody is measured against, in a process of its own, in either mode of answering.

`standin` is the embedded one: a real MCP server on the SDK, which takes most of the time of a call itself. `echo` says
the least that can be said over HTTP, so that differences between gateways stand out.
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiohttp import web

from scripts.bench_lib.processes import BenchError, last_words, running, surroundings

MODES = ("sse", "json")
KINDS = ("standin", "echo")


@contextmanager
def upstream(kind: str, mode: str, root: Path, folder: Path) -> Iterator[str]:
    """Its address, while the block lasts."""
    complaints = folder / f"{kind}-{mode}.txt"
    command = [sys.executable, "-m", "scripts.bench_lib.upstreams", kind, mode]
    with running(command, cwd=root, environment=surroundings(folder), complaints=complaints) as child:
        address = child.stdout.readline().decode().strip() if child.stdout is not None else ""
        if not address:
            raise BenchError(f"the upstream did not start: {last_words(complaints)}")
        yield address


def _standin(mode: str) -> None:
    from gateway.clock import SystemClock
    from gateway.standin import StandinOptions, serve

    serve(StandinOptions(json_response=mode == "json"), clock=SystemClock(), ready=_say)


def _say(address: str) -> None:
    print(address, flush=True)


class Echo:
    """Answers what a benchmark asks, from texts made beforehand."""

    def __init__(self, mode: str) -> None:
        self._streams = mode == "sse"
        tool = {"description": "Echo", "inputSchema": {"type": "object", "properties": {}}}
        persona = {"first_name": "Robin", "last_name": "Hale", "display_name": "Robin Hale"}
        self._results = {
            "tools/list": _text({"tools": [{"name": name, **tool} for name in _names()]}),
            "tools/call": _text({"content": [{"type": "text", "text": json.dumps({"persona": persona})}]}),
            "ping": "{}",
        }

    async def post(self, request: web.Request) -> web.Response:
        message = json.loads(await request.read())
        identifier, method = message.get("id"), message.get("method")
        if identifier is None or method is None:
            return web.Response(status=202)
        result = _opened(message) if method == "initialize" else self._results.get(method)
        outcome = '"error":{"code":-32601,"message":"Method not found"}' if result is None else f'"result":{result}'
        text = f'{{"jsonrpc":"2.0","id":{json.dumps(identifier)},{outcome}}}'
        headers = {"Mcp-Session-Id": "echo"} if method == "initialize" else {}
        if self._streams:
            event = f"event: message\r\ndata: {text}\r\n\r\n"
            return web.Response(text=event, content_type="text/event-stream", headers=headers)
        return web.Response(text=text, content_type="application/json", headers=headers)

    async def get(self, _: web.Request) -> web.Response:
        return web.Response(status=405)

    async def delete(self, _: web.Request) -> web.Response:
        return web.Response()

    async def serve(self) -> None:
        """Serve until the process is ended."""
        app = web.Application()
        app.add_routes([web.post("/mcp", self.post), web.get("/mcp", self.get), web.delete("/mcp", self.delete)])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        _say(f"http://127.0.0.1:{runner.addresses[0][1]}/mcp")
        await asyncio.Event().wait()


def _names() -> list[str]:
    from gateway.keyid import known_tools

    known = list(known_tools())
    return [*known, *(f"echo_{number}" for number in range(64 - len(known)))]


def _opened(message: dict[str, dict[str, object]]) -> str:
    version = message.get("params", {}).get("protocolVersion")
    identity = {"name": "echo", "version": "1"}
    return _text({"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": identity})


def _text(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


if __name__ == "__main__":
    kind_asked, mode_asked = sys.argv[1:]
    if kind_asked == "standin":
        _standin(mode_asked)
    else:
        asyncio.run(Echo(mode_asked).serve())
