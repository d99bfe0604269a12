"""Files and web pages. Nothing is published anywhere; the addresses are invented."""

import base64
import binascii

from gateway.standin.identity import Record
from gateway.standin.identity.failure import ToolFailure
from gateway.standin.identity.moments import shown
from gateway.standin.tools.call import Call, Structured, paged

_HIDDEN = frozenset({"content", "is_base64"})


def store_file(call: Call) -> Structured:
    given, key = call.given, call.given.text("key")
    content, encoded = given.text("content"), given.flag("is_base64")
    stored: Record = {
        "key": key,
        "content_type": given.maybe("content_type") or "text/plain",
        "size": _size(content, encoded=encoded),
        "is_public": given.flag("is_public"),
        "url": f"https://files.keyid.example/{key}" if given.flag("is_public") else None,
        "updated_at": shown(call.identity.clock.now()),
        "content": content,
        "is_base64": encoded,
    }
    call.identity.shelves.files[key] = stored
    return {"file": _listed(stored)}


def get_file(call: Call) -> Structured:
    stored = _file(call)
    return {"file": _listed(stored), "content": stored["content"], "is_base64": stored["is_base64"]}


def list_files(call: Call) -> Structured:
    prefix, files = call.given.maybe("prefix") or "", call.identity.shelves.files
    return paged(call, "files", (_listed(stored) for key, stored in files.items() if key.startswith(prefix)))


def delete_file(call: Call) -> Structured:
    stored = _file(call)
    del call.identity.shelves.files[str(stored["key"])]
    return {"key": stored["key"], "deleted": True}


def create_page(call: Call) -> Structured:
    given, slug, pages = call.given, call.given.text("slug"), call.identity.shelves.pages
    if slug in pages:
        raise ToolFailure(f"page `{slug}` exists already")
    pages[slug] = {
        "slug": slug,
        "title": given.maybe("title") or slug,
        "description": given.maybe("description") or "",
        "published": True,
        "url": f"https://pages.keyid.example/{slug}",
        "updated_at": shown(call.identity.clock.now()),
    }
    return {"page": pages[slug]}


def get_page(call: Call) -> Structured:
    return {"page": _page(call)}


def list_pages(call: Call) -> Structured:
    return {"pages": list(call.identity.shelves.pages.values())}


def update_page(call: Call) -> Structured:
    page = {**_page(call), **call.given.raw, "updated_at": shown(call.identity.clock.now())}
    call.identity.shelves.pages[call.given.text("slug")] = page
    return {"page": page}


def upload_page_file(call: Call) -> Structured:
    page, given = _page(call), call.given
    path, content = given.text("path"), given.text("content")
    stored: Record = {
        "path": path,
        "content_type": given.maybe("content_type") or "text/html",
        "size": len(content.encode()),
        "url": f"{page['url']}/{path}",
    }
    call.identity.shelves.page_files[given.text("slug"), path] = stored
    return {"slug": page["slug"], "file": stored}


def list_page_files(call: Call) -> Structured:
    slug = _page(call)["slug"]
    files = call.identity.shelves.page_files.items()
    return {"slug": slug, "files": [stored for (owner, _), stored in files if owner == slug]}


def delete_page_file(call: Call) -> Structured:
    slug, path = call.given.text("slug"), call.given.text("path")
    if call.identity.shelves.page_files.pop((slug, path), None) is None:
        raise ToolFailure(f"page `{slug}` has no file `{path}`")
    return {"slug": slug, "path": path, "deleted": True}


def _file(call: Call) -> Record:
    key = call.given.text("key")
    stored = call.identity.shelves.files.get(key)
    if stored is None:
        raise ToolFailure(f"there is no file `{key}`")
    return stored


def _listed(stored: Record) -> Structured:
    return {key: value for key, value in stored.items() if key not in _HIDDEN}


def _page(call: Call) -> Record:
    slug = call.given.text("slug")
    page = call.identity.shelves.pages.get(slug)
    if page is None:
        raise ToolFailure(f"there is no page `{slug}`")
    return page


def _size(content: str, *, encoded: bool) -> int:
    if not encoded:
        return len(content.encode())
    try:
        return len(base64.b64decode(content, validate=True))
    except binascii.Error:
        raise ToolFailure("`content` is not base64") from None
