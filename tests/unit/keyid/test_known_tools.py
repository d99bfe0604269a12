from collections import Counter

from gateway.keyid import known_tools


def test_fifty_four_names_are_known_in_alphabetical_order() -> None:
    tools = known_tools()
    assert list(tools) == sorted(tools)
    assert Counter(tool.category for tool in tools.values()) == {
        "Read": 31,
        "Write": 16,
        "Execute": 3,
        "Destructive": 4,
    }


def test_a_tool_comes_with_what_is_published_and_a_schema() -> None:
    tool = known_tools()["send_email"]
    assert (tool.name, tool.category, tool.published_risk) == ("send_email", "Write", "Medium")
    assert tool.input_schema["required"] == ["to", "subject", "body"]
