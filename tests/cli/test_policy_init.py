import json
from pathlib import Path

import pytest

from gateway.authoring.layout import laid_out
from gateway.keyid import recommended
from tests.cli.conftest import Home, Run

TOOLS = len(recommended.TOOLS)
LAID_OUT = laid_out(recommended.text().encode(), name="policy.json")


def test_what_is_written_is_laid_out(run: Run, home: Home) -> None:
    run("policy", "init")
    assert run("policy", "fmt", "--check", str(home.policy)).code == 0


def test_the_pack_is_written_for_its_owner_only(run: Run, home: Home) -> None:
    ran = run("policy", "init")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (
        f"wrote `{home.policy}`: {TOOLS} tools, the reason of each restriction beside it\n"
        "next:\n"
        "  edit it; `keyid-gateway policy check` says what is wrong with an edit\n"
        "  a gateway without --policy takes it within half a second, as every later edit\n"
        "  a grant that was once judged by a file never falls back to the built-in pack\n"
    )
    assert home.policy.read_text(encoding="utf-8") == LAID_OUT
    assert home.policy.stat().st_mode & 0o777 == 0o600
    assert home.policy.parent.stat().st_mode & 0o777 == 0o700
    assert [file.name for file in home.policy.parent.iterdir()] == ["policy.json"]


def test_what_is_written_is_then_in_force(run: Run, home: Home) -> None:
    run("policy", "init")
    assert run("policy", "check").out.startswith(f"`{home.policy}` is valid: ")


def test_a_file_of_ones_own_choice(run: Run, home: Home) -> None:
    file = home.folder / "mine.json"
    ran = run("policy", "init", str(file))
    assert ran.code == 0
    assert f"  start the gateway with `--policy {file}`; later edits are taken at once\n" in ran.out
    assert file.read_text(encoding="utf-8") == LAID_OUT


def test_to_standard_output(run: Run, home: Home) -> None:
    ran = run("policy", "init", "-")
    assert (ran.code, ran.out, ran.err) == (0, LAID_OUT, "")
    assert not home.policy.exists()


def test_a_file_that_exists_is_left_alone(run: Run, home: Home) -> None:
    home.write_policy("mine")
    ran = run("policy", "init")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        f"error: `{home.policy}` exists already\nhint: `--force` replaces it; `policy init -` only prints\n"
    )
    assert home.policy.read_text(encoding="utf-8") == "mine"
    assert [file.name for file in home.policy.parent.iterdir()] == ["policy.json"]


def test_force_replaces_it_whole(run: Run, home: Home) -> None:
    home.write_policy("mine")
    home.policy.chmod(0o644)
    ran = run("policy", "init", "--force", "--json")
    assert (ran.code, json.loads(ran.out)) == (0, {"written": str(home.policy), "tools": TOOLS})
    assert home.policy.read_text(encoding="utf-8") == LAID_OUT
    assert home.policy.stat().st_mode & 0o777 == 0o600


def test_a_folder_is_no_place(run: Run, home: Home) -> None:
    ran = run("policy", "init", str(home.folder))
    assert (ran.code, ran.err) == (2, f"error: `{home.folder}` is a folder\nhint: name the file to write\n")


def test_a_place_that_cannot_be_written(run: Run, home: Home) -> None:
    (home.folder / "file").write_text("", encoding="utf-8")
    place = home.folder / "file" / "policy.json"
    ran = run("policy", "init", str(place))
    assert (ran.code, ran.out) == (3, "")
    assert ran.err == (
        f"error: `{place}` cannot be written: not a directory\nhint: choose another place: `policy init FILE`\n"
    )


def test_a_relative_file_is_said_with_its_whole_path(run: Run, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home.folder)
    assert f"wrote `{Path.cwd() / 'here.json'}`" in run("policy", "init", "here.json").out
