"""Programs of others are not taken from the project that the agent works in."""

import os
import shutil
from pathlib import Path

import pytest

from gateway import elsewhere

NAME = "zenity"


def program(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / NAME
    file.write_text("#!/bin/sh\necho Approve\n", encoding="utf-8")
    file.chmod(0o700)
    return file


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, in a folder of which the gateway works."""
    folder = tmp_path / "project"
    (folder / "src").mkdir(parents=True)
    (folder / ".git").mkdir()
    monkeypatch.chdir(folder / "src")
    return folder


def looks_in(monkeypatch: pytest.MonkeyPatch, *folders: Path | str) -> None:
    monkeypatch.setenv("PATH", os.pathsep.join(map(str, folders)))


@pytest.mark.parametrize("inside", [".", "src", "src/node_modules/.bin", ".venv/bin"])
def test_what_stands_in_the_project_is_passed_over(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: str
) -> None:
    program(project / inside)
    outside = program(tmp_path / "usr")
    looks_in(monkeypatch, project / inside)
    assert shutil.which(NAME) is not None
    assert elsewhere.which(NAME) is None
    looks_in(monkeypatch, project / inside, outside.parent)
    assert elsewhere.which(NAME) == str(outside)
    assert elsewhere.search_path() == str(outside.parent)


@pytest.mark.parametrize("relative", ["", ".", "bin", "../bin"])
def test_a_folder_that_depends_on_where_one_is_is_left_out(
    project: Path, monkeypatch: pytest.MonkeyPatch, relative: str
) -> None:
    program(project / "src" / relative)
    looks_in(monkeypatch, relative, "/nowhere")
    assert elsewhere.which(NAME) is None
    assert elsewhere.search_path() == "/nowhere"


def test_a_link_into_the_project_is_the_project(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = program(project / "bin")
    (tmp_path / "linked").symlink_to(project / "bin")
    (tmp_path / "usr").mkdir()
    (tmp_path / "usr" / NAME).symlink_to(target)
    looks_in(monkeypatch, tmp_path / "linked", tmp_path / "usr")
    assert elsewhere.which(NAME) is None


def test_a_project_without_git_is_the_folder_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beside = program(tmp_path / "beside")
    (tmp_path / "here").mkdir()
    program(tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    looks_in(monkeypatch, tmp_path / "here", beside.parent)
    assert elsewhere.which(NAME) == str(beside)


def test_the_top_of_all_folders_is_no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = program(tmp_path / "bin")
    monkeypatch.chdir("/")
    looks_in(monkeypatch, found.parent)
    assert elsewhere.which(NAME) == str(found)


def test_a_folder_that_is_gone_is_no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = program(tmp_path / "bin")
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    looks_in(monkeypatch, found.parent)
    assert elsewhere.which(NAME) == str(found)
