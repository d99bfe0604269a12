"""What is known of the KeyID tools: names, categories, published risks, input schemas.

Fifty-four of the sixty-four names are public. This is knowledge for reports, the stand-in and the recommended
pack; no decision depends on it: what exists is what the upstream announces.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Literal

Category = Literal["Read", "Write", "Execute", "Destructive"]
Risk = Literal["Low", "Medium", "High", "Critical"]


@dataclass(frozen=True, slots=True)
class KnownTool:
    """One KeyID tool as published; `input_schema` is JSON Schema, partly seen and partly inferred."""

    name: str
    category: Category
    published_risk: Risk
    schema_known: str
    annotations: Mapping[str, bool]
    input_schema: Mapping[str, object]


@cache
def known_tools() -> Mapping[str, KnownTool]:
    """The known tools by name, in alphabetical order."""
    from importlib.resources import files  # here, because this module is on the way to the first answer of `run`

    rows = json.loads((files(__package__) / "tools.json").read_text(encoding="utf-8"))
    return MappingProxyType({row["name"]: KnownTool(**row) for row in rows})
