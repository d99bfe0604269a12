"""The reference pages say everything that there is; that they are current, `test_samples` shows."""

import json
import re
from importlib.resources import files
from pathlib import Path

import click
import pytest

from gateway.cli.commands import root
from gateway.cli.commands.docs import PAGES
from gateway.cli.exits import EXITS
from gateway.settings import OPTIONS
from tests.cli.conftest import Home, Run, home, run

__all__ = ["home", "run"]

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
FOLDER = files("gateway") / "docs"


def text(page: str) -> str:
    return (FOLDER / f"{page}.md").read_text(encoding="utf-8")


def test_the_pages_are_these() -> None:
    assert sorted(each.name for each in FOLDER.iterdir()) == sorted(f"{page}.md" for page in PAGES)
    for page in PAGES:
        for target in re.findall(r"\]\(([a-z-]+\.md)\)", text(page)):
            assert target.removesuffix(".md") in PAGES


def _paths(command: click.Command, path: str) -> list[str]:
    inner = command.commands if isinstance(command, click.Group) else {}
    return [path, *(each for name, one in inner.items() for each in _paths(one, f"{path} {name}"))]


def test_every_command_has_its_section_and_nothing_of_this_machine() -> None:
    headings = re.findall(r"^## (.*)$", text("commands"), re.MULTILINE)
    assert headings == _paths(root, "keyid-gateway")
    assert str(Path.home()) not in text("commands").replace("~", "")
    blocks = "".join(re.findall(r"^```text\n(.*?)^```$", text("commands"), re.DOTALL | re.MULTILINE))
    assert max(map(len, blocks.splitlines())) <= 80


def test_every_setting_is_there_with_its_four_ways() -> None:
    sections = text("settings").split("\n## ")[1:]
    assert [section.partition("\n")[0] for section in sections] == [option.name for option in OPTIONS]
    for option, section in zip(OPTIONS, sections, strict=True):
        assert f"| flag | `{option.flag}" in section
        assert f"| variable | `{option.variable}=" in section
        assert f"| settings.toml | `{option.name} = " in section
        assert "| profile | " in section
        assert f"| default | {option.shown_default} |" in section


def test_the_readme_has_the_same_exit_codes() -> None:
    table = README.partition("| exit code | |")[2].partition("\n\n")[0]
    shown = dict(re.findall(r"^\| ([\d, ]+) \| (.*?) \|$", table, re.MULTILINE))
    codes = [int(code) for codes in shown for code in codes.split(",")]
    assert codes == [code for code in EXITS if code != 130]
    for code, words in shown.items():
        if "," not in code:
            assert words.partition(":")[0] == EXITS[int(code)]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_printed(run: Run, page: str) -> None:
    ran = run("docs", page)
    assert (ran.code, ran.err, ran.out) == (0, "", text(page))


def test_without_a_page_they_are_listed(run: Run, home: Home) -> None:
    assert home.folder.is_dir()
    ran = run("docs")
    assert [line.split()[0] for line in ran.out.splitlines()[1:7]] == list(PAGES)
    listed = json.loads(run("docs", "--json").out)
    assert all(Path(each["file"]).read_text(encoding="utf-8") == text(each["page"]) for each in listed)
    assert json.loads(run("docs", "reasons", "--json").out)["text"] == text("reasons")
    assert run("docs", "xyzzy").code == 2
