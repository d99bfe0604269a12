"""What really went wrong, where a library wrapped it into groups."""

from collections.abc import Iterator


def causes(error: BaseException) -> Iterator[BaseException]:
    """The errors inside the groups, each followed by what it says was its cause."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from causes(inner)
        return
    yield error
    if error.__cause__ is not None:
        yield from causes(error.__cause__)
