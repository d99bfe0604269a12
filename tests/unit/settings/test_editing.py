"""A profile is put into the settings file and taken out of it; everything else stays as somebody wrote it."""

import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ConfigError
from gateway.settings.editing import drop, put

KEPT = """\
# mine, by hand
grant = "me"   # everywhere

# the one at work
[profiles.work]
upstream = "https://work.example/mcp"
# they are slow
call_timeout = 600

# the one here
[profiles."a.b"]  # odd name
upstream = "http://127.0.0.1:8000/mcp"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "settings.toml"
    path.write_text(KEPT, encoding="utf-8")
    return path


def test_a_new_profile_comes_last(file: Path) -> None:
    put(file, "new", {"upstream": "https://n.example/mcp", "sign_in": True, "max_depth": 9, "header": ["A: b", 'C: "']})
    assert file.read_text(encoding="utf-8") == KEPT + (
        "\n[profiles.new]\n"
        'upstream = "https://n.example/mcp"\n'
        "sign_in = true\n"
        "max_depth = 9\n"
        'header = ["A: b", "C: \\""]\n'
    )
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_profile_takes_the_place_of_the_one_of_its_name(file: Path) -> None:
    put(file, "work", {"upstream": "https://other.example/mcp"})
    assert file.read_text(encoding="utf-8") == KEPT.replace("https://work", "https://other").replace(
        "# they are slow\ncall_timeout = 600\n", ""
    )
    put(file, "a.b", {"upstream": "http://c.example/mcp"})
    assert file.read_text(encoding="utf-8").endswith(
        '# the one here\n[profiles."a.b"]\nupstream = "http://c.example/mcp"\n'
    )


def test_a_profile_goes_with_the_comment_above_it(file: Path) -> None:
    drop(file, "work")
    assert (
        file.read_text(encoding="utf-8") == KEPT[: KEPT.index("# the one at work")] + KEPT[KEPT.index("# the one h") :]
    )
    drop(file, "a.b")
    assert file.read_text(encoding="utf-8") == '# mine, by hand\ngrant = "me"   # everywhere\n'


def test_a_file_and_its_folder_are_made(tmp_path: Path) -> None:
    file = tmp_path / "config" / "settings.toml"
    put(file, "new", {"upstream": "https://n.example/mcp"})
    assert file.read_text(encoding="utf-8") == '[profiles.new]\nupstream = "https://n.example/mcp"\n'
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert list(file.parent.iterdir()) == [file]


def test_lines_end_as_they_did(file: Path) -> None:
    file.write_bytes(KEPT.replace("\n", "\r\n").encode())
    put(file, "new", {"grant": "n"})
    assert file.read_bytes() == (KEPT + '\n[profiles.new]\ngrant = "n"\n').replace("\n", "\r\n").encode()


def test_a_link_stays_one(file: Path) -> None:
    link = file.with_name("link.toml")
    link.symlink_to(file)
    put(link, "new", {"grant": "n"})
    assert link.is_symlink()
    assert 'grant = "n"' in file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "text",
    [
        'profiles = { work = { grant = "w" } }\n',
        'profiles.work.grant = "w"\n',
        '[profiles]\nwork.grant = "w"\n',
        '[profiles]\nwork = { grant = "w" }\n',
    ],
)
def test_what_cannot_be_edited_without_changing_more_is_left_as_it_is(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")
    for replaces in (True, False):
        with pytest.raises(ConfigError) as refused:
            put(file, "work", {"grant": "n"}) if replaces else drop(file, "work")
        assert "in a form that cannot be edited" in refused.value.message
        assert refused.value.hint == "edit the file by hand: a table `[profiles.work]`; nothing was written"
    assert file.read_text(encoding="utf-8") == text


def test_a_line_inside_a_text_that_looks_like_a_table_is_none(file: Path) -> None:
    text = 'log_file = """\n[profiles.work]\n"""\n[profiles.work]\ngrant = "w"\n'
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot be edited"):
        put(file, "work", {"grant": "n"})
    assert file.read_text(encoding="utf-8") == text


def test_a_file_that_is_no_settings_file_is_left_as_it_is(file: Path) -> None:
    for text, reason in (("grant = ", "is not valid TOML"), ("grnt = 1\n", "unknown setting `grnt`")):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError, match=reason):
            put(file, "work", {"grant": "n"})
        assert file.read_text(encoding="utf-8") == text


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot be written: "):
        put(tmp_path / "config" / "settings.toml", "work", {"grant": "n"})


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), st.sampled_from(["new", "work", "a.b"]))
def test_any_text_comes_back(text: str, name: str) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "settings.toml"
        file.write_text(KEPT, encoding="utf-8")
        put(file, name, {"grant": text, "header": [text, text]})
        said = tomllib.loads(file.read_text(encoding="utf-8"))
        assert said["profiles"][name] == {"grant": text, "header": [text, text]}
        drop(file, name)
        assert tomllib.loads(file.read_text(encoding="utf-8")) == {
            **tomllib.loads(KEPT),
            "profiles": {key: value for key, value in tomllib.loads(KEPT)["profiles"].items() if key != name},
        }
