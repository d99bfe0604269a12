"""Bytes into lines, within a bound on each."""

from typing import Final

TOO_LONG: Final = b"\xff"
"""Stands for a line over the limit; no line of a client is equal to it, for it is not UTF-8."""


class Lines:
    """Cuts bytes into lines of at most `limit` bytes, in time linear in the bytes fed."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._partial: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that this chunk completes, without their line feeds; blank ones left out."""
        *ended, rest = chunk.split(b"\n")
        lines = []
        for piece in ended:
            self._add(piece)
            lines.append(self._take())
        self._add(rest)
        return [line for line in lines if line.strip()]

    def end(self) -> list[bytes]:
        """What is left when the input ends without a line feed."""
        line = self._take()
        return [line] if line.strip() else []

    def _add(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._limit:
            self._partial.clear()
        elif piece:
            self._partial.append(piece)

    def _take(self) -> bytes:
        line = TOO_LONG if self._size > self._limit else b"".join(self._partial)
        self._partial, self._size = [], 0
        return line
