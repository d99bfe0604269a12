"""The tasks that judged calls began: no other is reachable, because nobody decided on what it does.

A call may answer with a task instead of its result (2025-11-25: `task.taskId`; the extension of 2026: `taskId`).
"""

from typing import Final

from gateway.upstream import Answer

_MAX_TASKS: Final = 10_000


class Tasks:
    """The ids, in the order in which they came; the oldest goes where there are too many."""

    def __init__(self) -> None:
        self._known: dict[str, None] = {}

    def __contains__(self, task: object) -> bool:
        return isinstance(task, str) and task in self._known

    def note(self, answer: Answer) -> None:
        """Remember the task that an answer to a judged call names, if it does."""
        result = answer.result or {}
        task = result.get("task")
        identifier = task.get("taskId") if isinstance(task, dict) else result.get("taskId")
        if not isinstance(identifier, str):
            return
        while len(self._known) >= _MAX_TASKS:
            self._known.pop(next(iter(self._known)))
        self._known[identifier] = None
