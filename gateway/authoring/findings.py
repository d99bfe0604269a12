"""What the lint says: a finding at its place, with its reason and what to do.

A `warning` is what a person would regret; a `note` is what a person may not know, and changes no exit code.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Level: TypeAlias = Literal["warning", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: `pointer` is a JSON Pointer into the policy; `at_key` means the key there, not its value."""

    pointer: str
    message: str
    hint: str
    level: Level = "warning"
    at_key: bool = False
