"""Which policy is in force, and its replacement while the gateway runs.

- `--policy FILE`, else `policy.json` in the user's config folder, else the built-in recommended pack.
- The pack is only for a grant that has never used a file. One that has, and whose file is missing or invalid at start,
  gets `NoPolicy`: the gateway serves, refuses every call with the cause, and recovers when the file is mended.
- An edit is taken when the file has been still for one look (a writer may be in the middle of it) and loads whole. An
  invalid edit, or a file that vanishes, changes nothing but the log: the last good policy stays in force.
- Reading and compiling happen on a thread, so that a large document delays no message; the switch is one assignment, so
  that every call is judged by one revision.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, TypeAlias

from gateway.disk import why
from gateway.errors import ConfigError, StateError, typed
from gateway.policy import Layer, Policy, load
from gateway.policy.problem import quoted

_LOG = logging.getLogger(__name__)
_LOOK_SECONDS: Final = 0.1
_RETRY_SECONDS: Final = 1.0
_SAID: Final = 5
MAX_POLICY_BYTES: Final = 8 * 2**20
BUILT_IN: Final = "builtin:recommended"


@dataclass(frozen=True, slots=True)
class NoPolicy:
    """Every call is refused, because of `cause`."""

    cause: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where the policy comes from: a file, or (None) the built-in pack until the file `awaited` appears.

    `blocked` says why there is no policy at all, until then.
    """

    file: Path | None
    blocked: str | None = None
    awaited: Path | None = None

    @property
    def watched(self) -> Path | None:
        """The file whose changes count."""
        return self.file or self.awaited


_Stamp = tuple[int, int, int, int]


def choose(explicit: str | None, user_file: Path, used: str | None, grant: str) -> Source:
    """The source by the rules above; `used` is the file that this grant was last judged by, if any."""
    if explicit == BUILT_IN:
        return Source(None)
    if explicit is not None:
        return Source(Path(explicit))
    if exists(user_file) or used == str(user_file):
        return Source(user_file)
    if used is not None:
        return Source(
            None,
            f"grant `{grant}` was judged by `{used}` before, and no policy file is given now; "
            f"pass `{typed('--policy', used)}`, or `--policy {BUILT_IN}` for the built-in pack",
            awaited=user_file,
        )
    return Source(None, awaited=user_file)


def exists(file: Path) -> bool:
    """Whether there is a file; where nobody may look there counts as one, which then cannot be read: fail closed."""
    try:
        file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def read(file: Path) -> bytes:
    """The bytes of a policy file. Raises `ConfigError` with what is wrong and what to do."""
    try:
        if file.is_dir():
            raise ConfigError(f"`{file}` is a folder, not a policy file", "name the JSON file in it")
        if file.exists() and not file.is_file():  # a pipe would be waited for
            raise ConfigError(f"`{file}` is no regular file", "write the policy to a file")
        with file.open("rb") as stream:
            data = stream.read(MAX_POLICY_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(
            f"policy file `{file}` does not exist", "check the path, or write one with `keyid-gateway policy init`"
        ) from None
    except OSError as error:
        raise ConfigError(f"policy file `{file}` cannot be read: {why(error)}", "check its owner and mode") from None
    if len(data) > MAX_POLICY_BYTES:
        raise ConfigError(
            f"policy file `{file}` is larger than {MAX_POLICY_BYTES // 2**20} MiB", "is it the right file?"
        )
    return data


def load_source(source: Source, builtin: Callable[[], Policy], layer: Layer = "user") -> Policy:
    """Read and compile. Raises `ConfigError`."""
    if source.blocked is not None:
        raise ConfigError(source.blocked)
    return builtin() if source.file is None else load(read(source.file), name=str(source.file), layer=layer)


class InForce(Protocol):
    """The policy in force: at this moment, or as soon as there is one."""

    @property
    def in_force(self) -> Policy | NoPolicy: ...

    async def current(self) -> Policy | NoPolicy: ...


Changed: TypeAlias = Callable[[Policy | NoPolicy, Policy | NoPolicy], None]
"""Hears of the policy that was in force, and of the one that is now."""
Rejected: TypeAlias = Callable[[str], None]
"""Hears why an edit is not taken."""


class Policies:
    """The policy in force. `changed(old, new)` hears of a replacement, `rejected(report)` of an edit not taken.

    A layer that is `strict` has none while its file is broken, even where there was a good one before.
    """

    def __init__(
        self,
        choose_source: Callable[[], Awaitable[Source]],
        builtin: Callable[[], Policy],
        *,
        changed: Changed,
        rejected: Rejected,
        layer: Layer = "user",
        strict: bool = False,
    ) -> None:
        self._choose = choose_source
        self._builtin = builtin
        self._changed = changed
        self._rejected = rejected
        self._layer = layer
        self._strict = strict
        self._source = Source(None)
        self._current: Policy | NoPolicy | None = None
        self._stamp: _Stamp | None = None
        self._loading = asyncio.Lock()

    @property
    def in_force(self) -> Policy | NoPolicy:
        """The policy in force at this moment, which decides; `current` sees to it that there is one."""
        return self._current or NoPolicy("it is being loaded")

    @property
    def file(self) -> str | None:
        """The file that the policy in force came from; None for the built-in pack."""
        return None if self._source.file is None else str(self._source.file)

    async def current(self) -> Policy | NoPolicy:
        """The policy in force, loaded if it never was. Raises `StateError` where the state must be asked and cannot."""
        return self._current or await self._load_once()

    async def _load_once(self) -> Policy | NoPolicy:
        async with self._loading:
            return self._current or await self._first()

    async def watch(self) -> None:
        """Follow the file for ever."""
        while self._current is None:
            try:
                await self.current()
            except StateError:  # whoever asked for the policy was told; the file may be mended
                await asyncio.sleep(_RETRY_SECONDS)
        seen = self._stamp
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            file = self._source.watched
            stamp = _stamp(file)
            still = stamp == seen
            seen = stamp
            if file is not None and still and stamp != self._stamp:
                self._stamp = stamp
                await self._again(file)

    async def _first(self) -> Policy | NoPolicy:
        self._source = await self._choose()
        self._stamp = _stamp(self._source.watched)
        try:
            policy = await asyncio.to_thread(load_source, self._source, self._builtin, self._layer)
        except ConfigError as error:
            _LOG.error("no policy is in force, every call is refused: %s", error)
            self._current = self._none(error)
            return self._current
        self._announce(policy)
        self._current = policy
        return policy

    async def _again(self, file: Path) -> None:
        old = await self.current()
        try:
            new = await asyncio.to_thread(load_source, Source(file), self._builtin, self._layer)
        except ConfigError as error:
            if isinstance(old, NoPolicy) or (self._strict and exists(file)):
                self._current = self._none(error)
            stays = _what_stays(self._current or old)
            _LOG.error("the edited %s is not taken, %s: %s", self._name, stays, error)
            self._rejected(f"the edited {self._name} is not taken, {stays}: {_one_line(error)}")
            return
        self._source = Source(file)
        self._current = new
        if isinstance(old, NoPolicy) or old.revision != new.revision:
            self._announce(new)
            self._changed(old, new)

    @property
    def _name(self) -> str:
        return "policy" if self._layer == "user" else f"{self._layer} policy"

    def _none(self, error: ConfigError) -> NoPolicy:
        said = _one_line(error)
        return NoPolicy(said if self._layer == "user" else f"the {self._name} cannot be taken: {said}")

    def _announce(self, policy: Policy) -> None:
        if not policy.text:
            return
        _LOG.info("%s in force: %s (revision %s)", self._name, policy.name, policy.revision)
        for words in observed(policy):
            _LOG.warning("%s: %s", policy.name, words)
        for warning in policy.warnings:
            _LOG.warning("%s", warning.report(policy.name))


def observed(policy: Policy) -> Iterator[str]:
    """What of a policy is only being tried out, and so refuses nothing."""
    if policy.observed:
        yield "`mode` is `observe`: what the policy would deny is relayed, and only recorded"
    entries = (*policy.entries.values(), *(pattern.entry for pattern in policy.patterns), policy.all_tools)
    tried = [entry.key for entry in entries if entry.observed]
    if tried and not policy.observed:
        more = f" and {len(tried) - _SAID} more" if len(tried) > _SAID else ""
        yield f"`mode` is `observe` for {', '.join(map(quoted, tried[:_SAID]))}{more}: what would be denied is relayed"


def _what_stays(policy: Policy | NoPolicy) -> str:
    return "every call is still refused" if isinstance(policy, NoPolicy) else "the last good one stays in force"


def _stamp(file: Path | None) -> _Stamp | None:
    if file is None:
        return None
    try:
        found = file.stat()
    except OSError:
        return (0, 0, 0, 0)
    return (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)


def _one_line(error: ConfigError) -> str:
    return " · ".join(line.strip() for line in str(error).splitlines() if line.strip())
