"""A browser of the test's own, as `BROWSER` names it: it opens an address and follows redirects, on loopback only.

Every address it opens is written to the file in TEST_BROWSER_LOG, so that a test can say that none was opened.
"""

import os
import sys
import urllib.request
from urllib.parse import urlsplit

with open(os.environ["TEST_BROWSER_LOG"], "a", encoding="utf-8") as log:  # noqa: PTH123 - appended to
    log.write(sys.argv[1] + "\n")
if os.environ.get("TEST_BROWSER_IDLE"):
    sys.exit(0)
if os.fork():  # whoever opens a browser waits for this command
    os._exit(0)
os.setsid()


class LoopbackOnly(urllib.request.HTTPRedirectHandler):
    """Nowhere else."""

    def redirect_request(self, request, body, code, message, headers, target):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 - as the library has it
        assert urlsplit(target).hostname in ("127.0.0.1", "localhost"), target
        return super().redirect_request(request, body, code, message, headers, target)


urllib.request.build_opener(urllib.request.ProxyHandler({}), LoopbackOnly()).open(sys.argv[1], timeout=20)
