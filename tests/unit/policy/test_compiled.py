from dataclasses import FrozenInstanceError, replace

import pytest

from gateway.policy import Policy, globs, load
from gateway.policy.compiled import Entry, Pattern


def policy() -> Policy:
    return load(b'{"version": "1", "default": "deny", "hide": ["x", "y", "x"], "tools": {"t": {}}}', name="p")


def test_an_entry_is_found_by_its_whole_name() -> None:
    assert [entry.key for entry in policy().listed("t")] == ["t"]
    assert policy().listed("tt") == ()


def test_every_entry_that_matches_is_consulted() -> None:
    pattern = Pattern(globs.parse("t*"), Entry("t*", "/tools/t*"))
    assert [entry.key for entry in replace(policy(), patterns=(pattern,)).listed("t")] == ["t", "t*"]
    assert [entry.key for entry in replace(policy(), patterns=(pattern,)).listed("to")] == ["t*"]


def test_a_hidden_name_points_to_where_it_stands_first() -> None:
    assert [policy().hidden(name) for name in ("x", "y", "z")] == ["/hide/0", "/hide/1", None]


def test_a_policy_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        policy().revision = "x"  # type: ignore[misc]  # that is what must fail
    with pytest.raises(TypeError):
        policy().entries["u"] = Entry("u", "/tools/u")  # type: ignore[index]  # as above
