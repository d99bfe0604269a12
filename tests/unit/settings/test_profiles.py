"""A profile is written from what flags say, by a command or by whatever makes a client's entry into one."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from gateway.errors import ConfigError, UsageError
from gateway.settings import load
from gateway.settings.profiles import add, keep_secret, remove

UPSTREAM = ("https://a.example/mcp",)


def loaded(folder: Path, name: str) -> object:
    return load({"profile": [name]}, {"KEYID_GATEWAY_CONFIG_DIR": str(folder)})


def test_what_is_written_is_what_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("A_TOKEN", "Bearer x")
    given: Mapping[str, Sequence[str]] = {
        "header": ["Authorization: env:A_TOKEN", "X-Team: a"],
        "upstream": UPSTREAM,
        "policy": ["a.json"],
        "project_policy": [".keyid-gateway/policy.json"],
        "call_timeout": ["60"],
        "idle_timeout": ["0.5"],
        "max_depth": ["64"],
        "sign_in": ["true"],
        "switch_off": ["sampling,roots"],
    }
    file = add(tmp_path / "config", "a", given)
    assert file == tmp_path / "config" / "settings.toml"
    assert file.read_text(encoding="utf-8") == (
        "[profiles.a]\n"
        'upstream = "https://a.example/mcp"\n'
        f'policy = "{tmp_path}/a.json"\n'
        'project_policy = ".keyid-gateway/policy.json"\n'
        'header = ["Authorization: env:A_TOKEN", "X-Team: a"]\n'
        'switch_off = "sampling,roots"\n'
        "call_timeout = 60\n"
        "idle_timeout = 0.5\n"
        "max_depth = 64\n"
        "sign_in = true\n"
    )
    assert loaded(tmp_path / "config", "a") == load(
        {"profile": ["a"], **given}, {"KEYID_GATEWAY_CONFIG_DIR": str(tmp_path / "config")}
    )


def test_a_place_need_not_be_there_yet(tmp_path: Path) -> None:
    add(tmp_path, "a", {"upstream": UPSTREAM, "header": ["Authorization: env:NOT_SET_HERE", "X: file:/not/there"]})
    with pytest.raises(ConfigError, match="NOT_SET_HERE"):
        loaded(tmp_path, "a")


def test_a_credential_is_named_by_its_place(tmp_path: Path) -> None:
    for name, text in (("header", "Authorization: Bearer s3cret"), ("oauth_client_secret", "s3cret")):
        with pytest.raises(UsageError, match="name its place") as refused:
            add(tmp_path, "a", {"upstream": UPSTREAM, name: [text]})
        assert "s3cret" not in str(refused.value)
    assert not (tmp_path / "settings.toml").exists()


def test_a_profile_is_not_replaced_by_accident(tmp_path: Path) -> None:
    file = add(tmp_path, "a", {"upstream": UPSTREAM})
    with pytest.raises(UsageError) as refused:
        add(tmp_path, "a", {"upstream": ["https://b.example/mcp"]})
    assert str(refused.value) == "there is a profile `a` already\nhint: `--replace` writes this one in its place"
    add(tmp_path, "a", {"upstream": ["https://b.example/mcp"]}, replace=True)
    assert file.read_text(encoding="utf-8") == '[profiles.a]\nupstream = "https://b.example/mcp"\n'


@pytest.mark.parametrize(
    ("name", "given", "reason"),
    [
        ("a b", {}, "`a b`: a profile is named with"),
        ("a", {"profile": ["b"]}, "a profile names no other"),
        ("a", {"max_depth": ["1"]}, "--max-depth: a whole number from 8 to 500 is needed"),
        ("a", {"header": ["X-A: \x01"]}, "--header: the value of header `X-A` is empty or has characters"),
    ],
)
def test_what_makes_no_sense_is_not_written(
    tmp_path: Path, name: str, given: Mapping[str, Sequence[str]], reason: str
) -> None:
    with pytest.raises(UsageError, match=reason):
        add(tmp_path, name, given)
    assert not (tmp_path / "settings.toml").exists()


def test_a_profile_is_removed_unless_it_is_in_use_or_none(tmp_path: Path) -> None:
    file = add(tmp_path, "a", {"upstream": UPSTREAM})
    file.write_text('profile = "a"\n' + file.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(UsageError, match="is the one that"):
        remove(tmp_path, "a")
    file.write_text(file.read_text(encoding="utf-8").replace('profile = "a"\n', ""), encoding="utf-8")
    with pytest.raises(UsageError, match="profile `keyid` is built in"):
        remove(tmp_path, "keyid")
    with pytest.raises(UsageError, match=r"there is no profile `aa`\nhint: did you mean `a`\?"):
        remove(tmp_path, "aa")
    assert remove(tmp_path, "a") == file
    assert file.read_text(encoding="utf-8").strip() == ""


def test_a_secret_of_a_profile_is_kept_for_its_owner_only(tmp_path: Path) -> None:
    config = tmp_path / "config"
    assert keep_secret(config, "a", "Authorization", "Bearer old") == f"file:{config}/secrets/a.authorization"
    place = keep_secret(config, "a", "Authorization", "Bearer new")
    kept = config / "secrets" / "a.authorization"
    assert (kept.stat().st_mode & 0o777, kept.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert list(kept.parent.iterdir()) == [kept]
    add(config, "a", {"upstream": UPSTREAM, "header": [f"Authorization: {place}"]})
    settings = load({"profile": ["a"]}, {"KEYID_GATEWAY_CONFIG_DIR": str(config)})
    assert [(header.value, header.literal) for header in settings.header] == [("Bearer new", False)]
    other = keep_secret(config, "b", "Authorization", "Bearer other")
    add(config, "b", {"upstream": UPSTREAM, "header": [f"Authorization: {place}", f"X: {other}"]})
    remove(config, "b")
    assert kept.exists()
    remove(config, "a")
    assert not kept.exists()


def test_a_secret_that_cannot_be_kept_is_said_without_it(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot be written: ") as refused:
        keep_secret(tmp_path / "config", "a", "Authorization", "s3cret")
    assert "s3cret" not in str(refused.value)
