"""The layout never changes what a policy says, and what is laid out stays as it is."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.authoring.layout import laid_out
from gateway.policy import PolicyError, load
from gateway.policy import document as shapes
from tests import samples

MIXED = """{"tools": {"b": {"limits": [{"scope": "grant", "max": 5, "window": "hour", "counter": "c"}], "deny_if": [
{"on_deny": "x", "conditions": [{"value": 1.50, "op": "eq", "path": "args.a"}]}]}, "a": {}}, "default": "deny",
"version": "1", "hide": ["z", "y"], "description": "\\u00e9 \\"quoted\\""}"""


def test_json_is_laid_out_in_the_order_of_the_language() -> None:
    assert (
        laid_out(MIXED.encode(), name="p.json")
        == """{
  "version": "1",
  "description": "é \\"quoted\\"",
  "default": "deny",
  "hide": ["z", "y"],
  "tools": {
    "b": {
      "deny_if": [{ "conditions": [{ "path": "args.a", "op": "eq", "value": 1.50 }], "on_deny": "x" }],
      "limits": [{ "counter": "c", "window": "hour", "max": 5, "scope": "grant" }]
    },
    "a": {}
  }
}
"""
    )


def test_yaml_keeps_its_comments_and_its_quotes() -> None:
    text = """\
# the whole thing
version: "1"
default: deny   # nothing is open
tools:
    send_email:
        limits:
        - {scope: grant, max: 5, window: hour, counter: 'c'}
        # two of them
        - max: 9
          counter: d
          window: day
          scope: grant
        action: allow
"""
    assert (
        laid_out(text.encode(), name="p.yaml")
        == """\
# the whole thing
version: "1"
default: deny   # nothing is open
tools:
  send_email:
    limits:
      - {counter: 'c', window: hour, max: 5, scope: grant}
        # two of them
      - counter: d
        window: day
        max: 9
        scope: grant
    action: allow
"""
    )


def test_yaml_without_comments_gets_the_order_of_the_language() -> None:
    text = "default: deny\ntools: {a: {}}\nversion: '1'\n"
    assert laid_out(text.encode(), name="p.yaml") == "version: '1'\ndefault: deny\ntools: {a: {}}\n"


def test_anchors_stay() -> None:
    text = "version: '1'\ndefault: deny\ntools:\n  a: &x\n    action: deny\n  b: *x\n"
    assert laid_out(text.encode(), name="p.yaml") == text


def test_what_is_no_policy_is_not_laid_out() -> None:
    with pytest.raises(PolicyError):
        laid_out(b"{}", name="p.json")


@pytest.mark.parametrize("name", samples.names())
def test_a_sample_is_laid_out_without_changing_it(name: str) -> None:
    data = (samples.FOLDER / name / "policy.json").read_bytes()
    once = laid_out(data, name="p.json")
    assert laid_out(once.encode(), name="p.json") == once
    assert load(once.encode(), name="p").revision == load(data, name="p").revision
    assert max(map(len, once.splitlines())) <= 400


_ENTRY = st.fixed_dictionaries(
    {},
    optional={
        "reason": st.text(),
        "action": st.sampled_from(("allow", "deny")),
        "deny_if": st.lists(
            st.fixed_dictionaries(
                {
                    "on_deny": st.text(),
                    "conditions": st.lists(
                        st.fixed_dictionaries(
                            {
                                "value": st.text() | st.integers() | st.booleans() | st.none(),
                                "op": st.sampled_from(("eq", "neq")),
                                "path": st.just("args.x"),
                            }
                        ),
                        max_size=2,
                    ),
                }
            ),
            max_size=2,
        ),
    },
)
_DOCUMENTS = st.fixed_dictionaries(
    {"tools": st.dictionaries(st.text(max_size=80).filter(lambda name: "*" not in name), _ENTRY, max_size=3)},
    optional={"description": st.text()},
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_DOCUMENTS, st.sampled_from(("p.json", "p.yaml")), st.booleans())
def test_no_document_changes_its_meaning_and_the_second_time_changes_nothing(
    document: dict[str, Any], name: str, narrow: bool
) -> None:
    text = json.dumps({**document, "default": "deny", "version": "1"}, indent=2 if narrow else None)
    once = laid_out(text.encode(), name=name)
    assert load(once.encode(), name=name).revision == load(text.encode(), name="p.json").revision
    assert laid_out(once.encode(), name=name) == once


def test_every_model_has_an_order() -> None:
    assert list(shapes.keys(shapes.Document))[:4] == ["$schema", "version", "description", "default"]
