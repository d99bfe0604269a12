"""The one way in which a tool says no."""


class ToolFailure(Exception):
    """A tool cannot do what was asked; the text becomes a result with `isError`."""
