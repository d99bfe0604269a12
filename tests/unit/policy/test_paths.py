import pytest

from gateway.jsonrpc import Json, loads
from gateway.policy.paths import EACH, Path, argument, parse, select
from gateway.policy.problem import Fault
from gateway.policy.values import ABSENT, UNJUDGEABLE, Found

FORMS = 'paths look like `args.to`, `args.list[0]`, `args.list[*].x` or `args["odd.name"]`'


FACTS = (
    "one of `session.calls.<tool>`, `session.denials`, `grant.seconds_since.<tool>`, `grant`, `time.hour`, "
    "`time.weekday`, `client.name`, `tool.name`, `tool.annotations.<hint>`"
)
TOOL = 'write it like `session.calls.send_email` or `session.calls["odd.name"]`'
HINTS = "one of `readOnlyHint`, `destructiveHint`, `idempotentHint`, `openWorldHint`"


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("args.to", ("to",)),
        ("args.a.b", ("a", "b")),
        ("args.list[0]", ("list", 0)),
        ("args.list[*].x", ("list", EACH, "x")),
        ('args["odd.name"]', ("odd.name",)),
        ('args["a\\"]b"].c', ('a"]b', "c")),
        ('args.a["b"][12][*]', ("a", "b", 12, EACH)),
        ("args.with-dash", ("with-dash",)),
        ("args.größe", ("größe",)),
        ('args[""]', ("",)),
        ("args.args", ("args",)),
    ],
)
def test_a_path_is_its_steps(text: str, steps: tuple[object, ...]) -> None:
    assert parse(text) == Path(text, steps, EACH in steps)  # type: ignore[arg-type]  # the table is written loosely


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("to", "`to` is not the root of a path", "did you mean `args.to`?"),
        ("arguments.to", "`arguments` is not the root of a path", "did you mean `args.arguments.to`?"),
        ("", "`` is not a path", FORMS),
        ("args", "`args` names no argument", FORMS),
        ("args[0]", "`args[0]` names no argument", FORMS),
        ("args[*]", "`args[*]` names no argument", FORMS),
        ("args.", "`args.` is not a path: it breaks at character 5", FORMS),
        ("args..a", "`args..a` is not a path: it breaks at character 5", FORMS),
        ("args.a[-1]", "`args.a[-1]` is not a path: it breaks at character 7", FORMS),
        ("args.a[01]", "`args.a[01]` is not a path: it breaks at character 7", FORMS),
        ("args.a[٣]", "`args.a[٣]` is not a path: it breaks at character 7", FORMS),
        ("args.a b", "`args.a b` is not a path: it breaks at character 7", FORMS),
        ("args.*", "`args.*` is not a path: it breaks at character 5", FORMS),
        ('args["a', '`args["a` is not a path: it breaks at character 5', FORMS),
        ('args["\\x"]', '`args["\\x"]` is not a path: it breaks at character 5', FORMS),
        ("session", "`session` is not a fact", FACTS),
        ("time.minute", "`time.minute` is not a fact", FACTS),
        ("grant.name", "`grant.name` is not a fact", FACTS),
        ("tool.name.x", "`tool.name.x` is not a fact", FACTS),
        ("session.calls", "`session.calls` names no tool", TOOL),
        ("session.calls.", "`session.calls.` is not a path: it breaks at character 14", FORMS),
        ("session.calls.a.b", "`session.calls.a.b` must name one tool", TOOL),
        ("session.calls[*]", "`session.calls[*]` must name one tool", TOOL),
        ("session.callsx", "`session.callsx` is not a fact", FACTS),
        ("tool.annotations.title", "`title` is not a hint", HINTS),
        ("tool.annotations", "`tool.annotations` names no hint", "write it like `tool.annotations.readOnlyHint`"),
    ],
)
def test_what_is_not_a_path_is_refused_in_words(text: str, message: str, hint: str) -> None:
    assert parse(text) == Fault(message, hint)


@pytest.mark.parametrize(
    ("text", "root", "steps"),
    [
        ("session.denials", "session.denials", ()),
        ("grant", "grant", ()),
        ("session.calls.send_email", "session.calls", ("send_email",)),
        ('grant.seconds_since["a.b"]', "grant.seconds_since", ("a.b",)),
        ("tool.annotations.readOnlyHint", "tool.annotations", ("readOnlyHint",)),
    ],
)
def test_a_fact_may_be_about_something(text: str, root: str, steps: tuple[str, ...]) -> None:
    assert parse(text) == Path(text, steps, root=root)


ARGUMENTS = loads("""
{"s": "x", "n": null, "o": {"k": 1, "n": null}, "l": [1, null, {"x": 2}], "e": [], "ll": [[1, 2], [], "x"],
 "objects": [{"x": 1}, {}, {"x": null}, 5], "odd.name": 7}
""")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("args.s", ["x"]),
        ("args.n", [None]),
        ("args.gone", [ABSENT]),
        ('args["odd.name"]', [7]),
        ("args.o.k", [1]),
        ("args.o.n", [None]),
        ("args.o.gone", [ABSENT]),
        ("args.gone.k", [ABSENT]),
        ("args.n.k", [ABSENT]),
        ("args.o.n.k", [ABSENT]),
        ("args.s.k", [UNJUDGEABLE]),
        ("args.l.k", [UNJUDGEABLE]),
        ("args.l.0", [UNJUDGEABLE]),
        ("args.s.k.k", [UNJUDGEABLE]),
        ("args.l[0]", [1]),
        ("args.l[9]", [ABSENT]),
        ("args.s[0]", [UNJUDGEABLE]),
        ("args.o[0]", [UNJUDGEABLE]),
        ("args.n[0]", [ABSENT]),
        ("args.l[*]", [1, None, {"x": 2}]),
        ("args.e[*]", []),
        ("args.gone[*]", []),
        ("args.n[*]", []),
        ("args.s[*]", [UNJUDGEABLE]),
        ("args.o[*]", [UNJUDGEABLE]),
        ("args.objects[*].x", [1, ABSENT, None, UNJUDGEABLE]),
        ("args.ll[*][*]", [1, 2, UNJUDGEABLE]),
        ("args.ll[*][0]", [1, ABSENT, UNJUDGEABLE]),
    ],
)
def test_a_path_finds_values_absence_or_the_wrong_container(path: str, expected: list[Found]) -> None:
    parsed = parse(path)
    assert isinstance(parsed, Path)
    assert isinstance(ARGUMENTS, dict)
    assert select(parsed, ARGUMENTS) == expected


@pytest.mark.parametrize("name", ["to", "odd.name", "größe", 'a"b', "", "a b", "x*"])
def test_the_path_of_an_argument_parses_back(name: str) -> None:
    path = parse(argument(name))
    assert isinstance(path, Path)
    arguments: dict[str, Json] = {name: 1}
    assert select(path, arguments) == [1]
