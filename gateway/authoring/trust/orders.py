"""What of a text is not a description of the tool, but an order to the model.

A poisoned description has few ways to work, and each leaves words behind (Invariant Labs' "tool poisoning", and what
followed it): it overrides ("ignore previous instructions"), it hides ("do not tell the user"), it marks itself as
urgent (`<IMPORTANT>`), it speaks with the voice of a system, it asks for what the tool does not need (files, keys,
the conversation), or it orders the model about other tools ("before using `send_email` …").

A description may well name another tool: "use `get_message` to read it" helps. What is reported is an order in the same
sentence that reaches beyond the tool: always, before any, instead of, never, must; and what would be sent elsewhere.

What is looked for is looked for in the text as it is read aloud: without characters that nobody sees, full-width
letters as plain ones. The patterns are RE2's, so that no text makes them slow.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator
from typing import Final

import re2

from gateway.authoring.trust.hidden import UNSEEN

_PATTERNS: Final = tuple(
    (re2.compile(f"(?i){pattern}"), words)
    for pattern, words in (
        (
            (
                r"\b(?:ignore|disregard|forget|override|bypass)\s+(?:\w+\s+){0,3}?(?:previous|prior|above|earlier|other|system"
                r"|all)\s+(?:\w+\s+){0,2}?(?:instructions?|prompts?|rules?|messages?|context|guidelines|polic(?:y|ies))"
            ),
            "it wants what was said before to be ignored",
        ),
        (
            (
                r"\b(?:do\s+not|don'?t|never|without|avoid)\s+(?:\w+\s+){0,2}?(?:tell|telling|mention|mentioning|inform"
                r"|informing|notify|notifying|alert|alerting|reveal|revealing|show|showing|ask|asking|warn|warning)\s+"
                r"(?:\w+\s+){0,3}?(?:user|human|person|anyone|operator)\b"
            ),
            "it wants something to be kept from the user",
        ),
        (
            r"\b(?:keep|hide|conceal)\s+(?:\w+\s+){0,3}?(?:from\s+the\s+user|secret\s+from|hidden\s+from)",
            "it wants something to be kept from the user",
        ),
        (
            r"<\s*/?\s*(?:important|system|instructions?|hidden|critical|urgent)\s*>|\[/?(?:INST|SYS)\]|<\|[a-z_]{2,20}\|>",
            "it speaks with the marks of a prompt",
        ),
        (
            r"(?:^|\n)\s*(?-i:System|SYSTEM|Assistant|ASSISTANT|Human|HUMAN|DEVELOPER)\s*:\s*\S",
            "it speaks with another voice",
        ),
        (
            r"\bwithout\s+(?:the\s+)?(?:user|human|person)(?:'s)?\s+(?:knowledge|knowing|consent|approval|noticing)\b",
            "it wants something to be kept from the user",
        ),
        (
            (
                r"\b(?:always|must|also|whenever|secretly|silently)\b[^.\n]{0,80}\b(?:b?cc|copy|forward|send|post|upload)\b"
                r"[^\n]{0,80}?(?:[\w.+-]+@[\w-]+\.\w|https?://)"
            ),
            "it wants something to be sent to an address that it names",
        ),
        (
            r"\byou\s+are\s+now\b|\bnew\s+instructions?\s*:|\bfrom\s+now\s+on\b[^.\n]{0,60}\b(?:must|always|never|will)\b",
            "it gives the model another task",
        ),
        (
            (
                r"\b(?:before|after|when(?:ever)?|prior\s+to|each\s+time\s+you|every\s+time\s+you)\s+(?:us(?:e|ing)|call(?:ing)?"
                r"|invok(?:e|ing)|run(?:ning)?)\s+(?:any|all|every|other|another|each)\b[^.\n]{0,40}\btools?\b"
            ),
            "it gives orders about every tool",
        ),
        (
            (
                r"~/\.(?:ssh|aws|cursor|claude|gnupg|netrc|docker|kube|npmrc)|(?:^|[^a-z])id_rsa\b|\bmcp\.json\b"
                r"|/etc/(?:passwd|shadow)|claude_desktop_config|(?:^|[\s'\"`/])\.env\b"
            ),
            "it names files that hold secrets",
        ),
        (
            (
                r"\b(?:pass|send|include|put|append|provide|supply|add|copy|attach|embed|first\s+send)\b[^.\n]{0,80}?\b(?:its"
                r"|the(?:ir)?|your|all|every|full|entire|complete|whole)\b[^.\n]{0,40}?\b(?:conversation|chat\s+history|chat\s+log"
                r"|system\s+prompt|credentials|passwords?|private\s+keys?|api\s+keys?|tokens?|secrets?)\b[^.\n]{0,40}?"
                r"(?:\bas\b|\bin(?:to)?\b|\bto\b|\bvia\b)"
            ),
            "it asks for secrets, or for what was said to the model",
        ),
    )
)
_SENTENCE: Final = re.compile(r"[^.!?\n]+(?:[.!?](?=\S)[^.!?\n]*)*[.!?]?")
_ORDER: Final = re2.compile(
    r"(?i)\b(?:(?:you\s+)?must|always|never|instead\s+of|rather\s+than|before\s+(?:us|call|invok|runn)ing|before\s+you"
    r"|after\s+(?:us|call|invok|runn)ing|whenever|every\s+time|each\s+time|do\s+not\s+(?:use|call)|don'?t\s+(?:use|call)"
    r"|first\s+call|also\s+call|forward|redirect|bcc|deprecated|prefer\s+this"
    r"|(?:this|it)\s+(?:tool\s+)?(?:replaces|overrides|supersedes))\b"
)
_SHORTEST_NAME: Final = 4
_ROUND: Final = 200


def read_aloud(text: str) -> str:
    """A text without what nobody sees, in plain forms of its letters."""
    valid = text.encode("utf-8", "replace").decode()
    return unicodedata.normalize("NFKC", UNSEEN.sub("", valid))


def orders(text: str) -> Iterator[tuple[str, str]]:
    """The orders of a text that is read aloud: what each wants, in words, and the piece itself; each kind once."""
    said: set[str] = set()
    for pattern, words in _PATTERNS:
        found = pattern.search(text)
        if found is not None and words not in said:
            said.add(words)
            yield words, _whole(text, found.start(), found.end())


def _whole(text: str, start: int, end: int) -> str:
    """The sentence round a piece, or as much of it as a person reads."""
    begin = max(text.rfind(mark, 0, start) for mark in (". ", "! ", "? ", "\n")) + 1
    ends = [place for mark in (". ", "! ", "? ", "\n") if (place := text.find(mark, end)) >= 0]
    return text[max(begin, start - _ROUND) : min([*ends, end + _ROUND]) + 1].strip()


def about_others(text: str, own: str, names: Collection[str]) -> Iterator[tuple[str, str]]:
    """Orders about other tools: which tool, and the sentence. `names` are those that count as names in prose."""
    for found in _SENTENCE.finditer(text):
        sentence = found[0]
        if not _ORDER.search(sentence):
            continue
        spoken = {word.strip(".-") for word in re.findall(r"[\w.-]+", sentence)}
        for name in sorted(spoken & set(names) - {own}):
            yield name, sentence.strip()


def speakable(names: Collection[str]) -> frozenset[str]:
    """The names that are no plain word of English: one such as `search` says nothing where it stands in a sentence."""
    return frozenset(
        name
        for name in names
        if len(name) >= _SHORTEST_NAME and (not name.isalpha() or name.lower() != name) and not name.istitle()
    )
