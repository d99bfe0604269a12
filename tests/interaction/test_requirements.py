"""Every behaviour has a test, and every test of this folder shows one."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.interaction.requirements import REQUIREMENTS

HERE = Path(__file__)


def shown(test: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """The ids that a test names in its `@shows(...)`."""
    calls = [mark for mark in test.decorator_list if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "shows"]
    return {ast.literal_eval(argument) for call in calls for argument in call.args}


def every_test() -> Iterator[tuple[str, set[str]]]:
    for file in sorted(HERE.parent.glob("test_*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            is_test = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
            if file != HERE and is_test:
                assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
                yield f"{file.name}::{node.name}", shown(node)


def test_every_behaviour_has_a_test() -> None:
    covered = set[str]().union(*(ids for _, ids in every_test()))
    assert sorted(REQUIREMENTS.keys() - covered) == []


def test_every_test_shows_a_behaviour() -> None:
    assert [name for name, ids in every_test() if not ids] == []
