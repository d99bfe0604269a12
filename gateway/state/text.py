"""Text on its way into the file: whole, but bounded, and such that SQLite takes it."""

from typing import Final

LONGEST_BYTES: Final = 4096


def bounded(text: str, longest: int = LONGEST_BYTES) -> str:
    """`text`, or its beginning with a mark of how much is missing where it exceeds `longest` bytes of UTF-8.

    Half a surrogate pair, which UTF-8 cannot say, is written as its escape.
    """
    if len(text) <= longest and text.isascii():
        return text
    data = text.encode("utf-8", "backslashreplace")
    if len(data) <= longest:
        return data.decode("utf-8")
    return f"{data[:longest].decode('utf-8', 'ignore')}… (+{len(data) - longest} bytes)"
