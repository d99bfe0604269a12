import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Home, Run

STRICT: dict[str, Any] = {
    "version": "1",
    "default": "deny",
    "tools": {"get_secret": {"limits": [{"counter": "s", "window": "day", "max": 2, "scope": "grant"}]}},
}
LOOSE: dict[str, Any] = {"version": "1", "default": "deny", "tools": {"get_secret": {}}}


@pytest.fixture
def files(home: Home) -> tuple[Path, Path]:
    strict, loose = home.folder / "strict.json", home.folder / "loose.json"
    strict.write_text(json.dumps(STRICT), encoding="utf-8")
    loose.write_text(json.dumps(LOOSE), encoding="utf-8")
    return strict, loose


def revision(run: Run, file: Path) -> str:
    return str(json.loads(run("policy", "check", str(file), "--json").out)["revision"])


def test_looser(run: Run, files: tuple[Path, Path]) -> None:
    strict, loose = files
    ran = run("policy", "diff", str(strict), str(loose))
    assert (ran.code, ran.err) == (11, "")
    assert ran.out == (
        f"A: {strict} (revision {revision(run, strict)})\n"
        f"B: {loose} (revision {revision(run, loose)})\n"
        "\n"
        "B is looser:\n"
        "  A /tools/get_secret/limits/0: nothing in B stops as early\n"
        '      get_secret {"key":"x"}\n'
        "      call 3 of the same at once\n"
        "      A: denied, /tools/get_secret/limits/0\n"
        "      B: allowed, /tools/get_secret\n"
        "\n"
        "B is looser: it refuses nothing that A does not\n"
    )


def test_tighter(run: Run, files: tuple[Path, Path]) -> None:
    strict, loose = files
    ran = run("policy", "diff", str(loose), str(strict))
    assert (ran.code, ran.err) == (10, "")
    assert ran.out.endswith("B is tighter: it lets nothing through that A does not\n")


def test_the_same(run: Run, files: tuple[Path, Path]) -> None:
    ran = run("policy", "diff", str(files[0]), str(files[0]))
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.endswith(")\n\nboth decide alike, for every call\n")


def test_both(run: Run, files: tuple[Path, Path]) -> None:
    strict, loose = files
    strict.write_text(json.dumps({**STRICT, "tools": {**STRICT["tools"], "get_file": {}}}), encoding="utf-8")
    ran = run("policy", "diff", str(strict), str(loose))
    assert ran.code == 12
    assert ran.out.endswith("B is looser in some calls, and tighter in others\n")


def test_json(run: Run, files: tuple[Path, Path]) -> None:
    strict, loose = files
    ran = run("policy", "diff", str(strict), str(loose), "--json")
    assert (ran.code, ran.err) == (11, "")
    found = json.loads(ran.out)
    assert (found["a"]["name"], found["b"]["name"], found["verdict"]) == (str(strict), str(loose), "looser")
    assert found["differences"] == [
        {
            "direction": "looser",
            "rule": "/tools/get_secret/limits/0",
            "of": "a",
            "what": "nothing in B stops as early",
            "witness": {
                "tool": "get_secret",
                "arguments": {"key": "x"},
                "circumstances": [],
                "a": "deny",
                "b": "allow",
                "a_rule": "/tools/get_secret/limits/0",
                "b_rule": "/tools/get_secret",
                "repetition": {
                    "number": 3,
                    "seconds": 0.0,
                    "apart": "",
                    "within": 0.0,
                    "tools": [],
                    "varied": False,
                    "returned": False,
                },
            },
        }
    ]


def test_where_nobody_can_tell_it_counts_as_a_difference(run: Run, files: tuple[Path, Path]) -> None:
    strict, loose = files
    odd = {"conditions": [{"path": "args.key", "op": "regex", "value": "^\\pN{3}$"}]}
    only = {"require": [{"conditions": [{"path": "args.key", "op": "eq", "value": "a"}]}]}
    strict.write_text(json.dumps({**LOOSE, "tools": {"get_secret": {**only, "deny_if": [odd]}}}), encoding="utf-8")
    loose.write_text(json.dumps({**LOOSE, "tools": {"get_secret": only}}), encoding="utf-8")
    ran = run("policy", "diff", str(strict), str(loose))
    assert ran.code == 11
    assert ran.out.endswith(
        "\n\n"
        "of 1 rule nobody can tell: no proof that it changes nothing, no call that shows it\n"
        "  perhaps looser: A /tools/get_secret/deny_if/0: nothing in B refuses as much\n"
        "\n"
        "B is looser: it refuses nothing that A does not (where nobody can tell, taken to be so)\n"
    )


def test_the_built_in_pack_has_a_name(run: Run) -> None:
    ran = run("policy", "diff", "builtin:recommended", "builtin:recommended")
    assert (ran.code, ran.out.count("builtin:recommended")) == (0, 2)


def test_a_policy_that_cannot_be_taken(run: Run, files: tuple[Path, Path]) -> None:
    files[0].write_text("{}", encoding="utf-8")
    assert run("policy", "diff", str(files[0]), str(files[1])).code == 3
