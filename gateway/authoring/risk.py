"""What a tool may do, judged by what is known of it and by what it is called: never by what it promises.

A tool that KeyID publishes has the category of KeyID's list. Any other is judged by the words of its name, which the
agent will call and which therefore mean something, and by its input schema. Then the server's own text may speak, but
only against itself: an annotation or a description makes a tool more dangerous than its name, never less. A tool named
`run_report` that calls itself read-only stays an execute, and one whose name says nothing at all counts as one.

| evidence | Read | Write | Execute | Destructive |
|---|---|---|---|---|
| a word of the name | `get`, `list` … | `create`, `send` … | `run`, `deploy` … | `delete`, `purge` … |
| an argument | | recipients, `overwrite` | commands, addresses, amounts | `purge`, HTTP's `DELETE` |
| an annotation | | `readOnlyHint: false` | | `destructiveHint: true` |
| a sentence of the description | | begins with such a verb | so does it | so does it, or "cannot be undone" |

Every piece of evidence counts; the gravest decides. What reads something that opens doors (secrets, codes) is marked
`sensitive`: reading it is limited like nothing else that reads.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.authoring.verbs import ARGUMENTS, CODES, RECIPIENTS, SENSITIVE, VERBS
from gateway.jsonrpc import Json
from gateway.keyid import Category, known_tools
from gateway.policy.problem import quoted

CATEGORIES: Final[tuple[Category, ...]] = ("Read", "Write", "Execute", "Destructive")
"""From the mildest to the gravest."""

_DESCRIBED: Final = 4000
"""Characters of a description that are looked at."""
_ARGUMENTS: Final = 200

_FOREVER: Final = re.compile(r"permanent|irreversibl|can(no|')t be (undone|recovered|restored)")
_WORD: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_SENTENCE: Final = re.compile(r"(?:^|[.!?;:\n]\s*|[-*•]\s+)([A-Za-z]+)")


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that speaks for a category, in words that a report can show."""

    category: Category
    why: str


@dataclass(frozen=True, slots=True)
class Risk:
    """What a tool may do: `category` is that of the gravest evidence, `known` whether KeyID publishes the tool."""

    category: Category
    evidence: tuple[Evidence, ...]
    sensitive: bool = False
    known: bool = False

    @property
    def why(self) -> str:
        """The evidence that decided, in a few words."""
        return "; ".join(item.why for item in self.evidence if item.category == self.category)


def assess(definition: Mapping[str, Json]) -> Risk:
    """The risk of a tool as its server announces it. Never raises: whatever is odd in a definition says nothing."""
    name = str(definition.get("name", ""))
    known = known_tools().get(name)
    if known is not None:
        published = Evidence(known.category, f"KeyID publishes it as {known.category}")
        evidence = (published, *_annotations(definition))
    else:
        evidence = (*_name(name), *_arguments(definition), *_annotations(definition), *_description(definition))
    gravest = max((item.category for item in evidence), key=CATEGORIES.index)
    return Risk(gravest, tuple(evidence), sensitive=_opens_doors(name), known=known is not None)


def words(name: str) -> tuple[str, ...]:
    """The words of a name, however they are joined: `getUserToken`, `get-user-token`, `get.user_token`."""
    return tuple(word.lower() for word in _WORD.findall(name))


def _name(name: str) -> Iterator[Evidence]:
    """After a verb that reads, words such as `reply` or `post` name what is read: unless the name joins two verbs."""
    said = tuple(dict.fromkeys(words(name)))
    reads = said[:1] and said[0] in VERBS["Read"] and not {"and", "or", "then"} & set(said)
    found = [(word, category) for word in said for category in CATEGORIES if word in VERBS[category]]
    for word, category in found:
        if category != "Write" or not reads:
            yield Evidence(category, f"its name says {quoted(word)}")
    if not found:
        yield Evidence("Execute", "its name does not say what it does")


def _arguments(definition: Mapping[str, Json]) -> Iterator[Evidence]:
    schema = definition.get("inputSchema")
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict):
        return
    if len(properties) > _ARGUMENTS:
        yield Evidence("Execute", f"it takes more than {_ARGUMENTS} arguments")
    for name, described in list(properties.items())[:_ARGUMENTS]:
        if name.lower() in RECIPIENTS:
            yield Evidence("Write", f"it takes {quoted(name)}: somebody receives something")
        for category, spoken in ARGUMENTS.items():
            if spoken.intersection(words(name)):
                yield Evidence(category, f"it takes {quoted(name)}")
        choices = described.get("enum") if isinstance(described, dict) else None
        if isinstance(choices, list) and any(isinstance(item, str) and item.upper() == "DELETE" for item in choices):
            yield Evidence("Destructive", f"{quoted(name)} may be `DELETE`")


def _annotations(definition: Mapping[str, Json]) -> Iterator[Evidence]:
    """Only what is said, and only what speaks against the tool: an absent hint is no evidence."""
    hints = definition.get("annotations")
    if not isinstance(hints, dict):
        return
    if hints.get("readOnlyHint") is False:
        yield Evidence("Write", "it says itself that it is not read-only")
    if hints.get("destructiveHint") is True and hints.get("readOnlyHint") is not True:
        yield Evidence("Destructive", "it says itself that it may destroy")


def _description(definition: Mapping[str, Json]) -> Iterator[Evidence]:
    described = definition.get("description")
    text = described[:_DESCRIBED] if isinstance(described, str) else ""
    forever = _FOREVER.search(text.lower())
    if forever is not None:
        yield Evidence("Destructive", f"its description says {quoted(forever.group())}")
    for verb in dict.fromkeys(_verb(match) for match in _SENTENCE.findall(text)):
        for category in CATEGORIES[1:]:
            if verb in VERBS[category]:
                yield Evidence(category, f"a sentence of its description begins with {quoted(verb)}")


def _verb(word: str) -> str:
    """`Deletes` and `Deleting` as `delete`, as far as that is a verb we know."""
    lower = word.lower()
    forms = (
        lower,
        lower.removesuffix("s"),
        lower.removesuffix("es"),
        lower.removesuffix("d"),
        lower.removesuffix("ed"),
    )
    more = (lower.removesuffix("ing"), f"{lower.removesuffix('ing')}e")
    known = frozenset().union(*VERBS.values())
    return next((form for form in (*forms, *more) if form in known), lower)


def _opens_doors(name: str) -> bool:
    said = set(words(name))
    return bool(said & SENSITIVE) or bool(said & {"code", "codes"} and said & CODES)
