"""Profiles are settings under a name: between the environment and the rest of the settings file."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from gateway.errors import ConfigError, UsageError
from gateway.settings import Settings, Sources, find, load

TWO = """
version = 1
grant = "everybody"
max_depth = 50

[profiles.work]
upstream = "https://work.example/mcp"
grant = "worker"
header = ["X-Team: a", "X-Room: 4"]
policy = "work.json"
sign_in = true

[profiles.local]
upstream = "http://127.0.0.1:8000/mcp"
"""


class Place:
    """A config folder, and settings from there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, text: str) -> None:
        (self.folder / "settings.toml").write_text(text, encoding="utf-8")

    def environment(self, **variables: str) -> Mapping[str, str]:
        own = {f"KEYID_GATEWAY_{name.upper()}": text for name, text in variables.items()}
        return {"KEYID_GATEWAY_CONFIG_DIR": str(self.folder), **own}

    def find(self, flags: Mapping[str, Sequence[str]] | None = None, **variables: str) -> Sources:
        return find(flags or {}, self.environment(**variables))

    def load(self, flags: Mapping[str, Sequence[str]] | None = None, **variables: str) -> Settings:
        return load(flags or {}, self.environment(**variables))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    found = Place(tmp_path)
    found.write(TWO)
    return found


def test_a_profile_goes_before_the_rest_of_the_file_and_after_flags_and_variables(place: Place) -> None:
    work = place.load({"profile": ["work"]})
    assert (work.profile, work.upstream, work.grant) == ("work", "https://work.example/mcp", "worker")
    assert (work.max_depth, work.call_timeout, work.sign_in) == (50, 330.0, True)
    assert [(header.name, header.value) for header in work.header] == [("X-Team", "a"), ("X-Room", "4")]
    assert work.policy == str(place.folder / "work.json")
    assert place.load({"profile": ["work"]}, grant="variable").grant == "variable"
    assert place.load({"profile": ["work"], "grant": ["flag"]}, grant="variable").grant == "flag"


def test_where_each_value_comes_from_is_known(place: Place) -> None:
    sources = place.find({"profile": ["work"], "call_timeout": ["9"]}, log_level="debug")
    said = {name: (sources.of(name).origin, sources.of(name).where) for name in (*NAMES, "list")}
    assert said == {
        "profile": ("flag", "--profile"),
        "call_timeout": ("flag", "--call-timeout"),
        "log_level": ("environment", "KEYID_GATEWAY_LOG_LEVEL"),
        "upstream": ("profile", "settings.toml: profiles.work.upstream"),
        "max_depth": ("file", "settings.toml: max_depth"),
        "list": ("default", "default"),
    }


NAMES = ("profile", "call_timeout", "log_level", "upstream", "max_depth")


def test_which_profile_is_in_use_is_a_setting_like_any_other(place: Place) -> None:
    assert place.load().profile == "keyid"
    place.write("profile = 'local'\n" + TWO)
    assert place.load().profile == "local"
    assert place.load(profile="work").profile == "work"
    assert place.load({"profile": ["keyid"]}, profile="work").profile == "keyid"


def test_the_built_in_profile_is_the_default_and_stands_for_its_server_where_it_is_named(place: Place) -> None:
    place.write("upstream = 'https://mine.example/mcp'\n")
    assert place.load().upstream == "https://mine.example/mcp"
    assert place.load({"profile": ["keyid"]}).upstream == "https://keyid.ai/mcp"
    assert place.find({"profile": ["keyid"]}).of("upstream").where == "profile keyid (built in)"


def test_the_built_in_profile_can_be_written_out(place: Place) -> None:
    place.write("grant = 'everybody'\n[profiles.keyid]\ngrant = 'mine'\n")
    assert (place.load().grant, place.load().upstream) == ("mine", "https://keyid.ai/mcp")
    assert place.load({"profile": ["keyid"]}).grant == "mine"


def test_a_list_in_a_profile_takes_the_place_of_the_one_of_the_file(place: Place) -> None:
    place.write("header = ['X-A: 1']\n[profiles.none]\nheader = []\n")
    assert [header.name for header in place.load().header] == ["X-A"]
    assert place.load({"profile": ["none"]}).header == ()


@pytest.mark.parametrize(
    ("flags", "variables", "error", "where"),
    [
        ({"profile": ["wrok"]}, {}, UsageError, "--profile"),
        ({}, {"profile": "wrok"}, ConfigError, "KEYID_GATEWAY_PROFILE"),
    ],
)
def test_a_profile_that_nobody_wrote(
    place: Place,
    flags: Mapping[str, Sequence[str]],
    variables: Mapping[str, str],
    error: type[ConfigError | UsageError],
    where: str,
) -> None:
    with pytest.raises(error) as refused:
        place.load(flags, **variables)
    assert str(refused.value) == (
        f"{where}: there is no profile `wrok`\n"
        "hint: did you mean `work`? there are `keyid`, `work`, `local`; `keyid-gateway profiles add` makes another"
    )
    place.write("profile = 'xyzzy'\n")
    with pytest.raises(ConfigError) as refused_file:
        place.load()
    assert str(refused_file.value) == (
        "settings.toml: profile: there is no profile `xyzzy`\n"
        "hint: there is `keyid`; `keyid-gateway profiles add` makes another"
    )


def test_a_name_that_is_none(place: Place) -> None:
    with pytest.raises(UsageError, match=r"a profile is named with 1 to 64 letters, digits, `-`, `_` and `\.`"):
        place.load({"profile": ["a b"]})


def test_every_mistake_of_the_file_is_said_at_once(place: Place) -> None:
    place.write("grnt = 'x'\ngrant = true\n[profiles.work]\nheaders = []\nprofile = 'local'\n[profiles.'a b']\n")
    with pytest.raises(ConfigError) as refused:
        place.load()
    assert str(refused.value) == (
        f"`{place.folder / 'settings.toml'}` has 5 mistakes\n"
        "  unknown setting `grnt` (did you mean `grant`?)\n"
        "  `grant` must be a text or a number\n"
        "  `profiles.work.profile`: a profile names no other\n"
        "  unknown setting `profiles.work.headers` (did you mean `header`?)\n"
        "  `profiles.a b`: a profile is named with 1 to 64 letters, digits, `-`, `_` and `.`\n"
        "hint: nothing of it is taken: mend all"
    )


def test_every_value_that_makes_no_sense_is_said_at_once(place: Place) -> None:
    place.write("max_depth = 1\n[profiles.work]\nlog_level = 'loud'\n[profiles.other]\nmax_depth = 2\n")
    with pytest.raises(ConfigError) as refused:
        place.load({"profile": ["work"]})
    assert str(refused.value) == (
        "2 settings are not taken\n"
        "  settings.toml: profiles.work.log_level: one of `debug`, `info`, `warning`, `error` is needed\n"
        "    --log-level LEVEL: how much is logged: debug, info, warning, error\n"
        "  settings.toml: max_depth: a whole number from 8 to 500 is needed\n"
        "    --max-depth LEVELS: how deep a message may nest\n"
        "hint: mend all of them"
    )


@pytest.mark.parametrize("text", ["profiles = 1", "[profiles]\nwork = 1", "[[profiles]]\nname = 'x'"])
def test_profiles_are_tables(place: Place, text: str) -> None:
    place.write(text)
    with pytest.raises(ConfigError, match="`profiles` has to be tables"):
        place.load()


@pytest.mark.parametrize("version", ["2", "0", "'1'", "true", "1.5"])
def test_a_settings_file_of_a_version_that_is_not_known_is_refused_whatever_it_says(place: Place, version: str) -> None:
    place.write(f"version = {version}\nwhat_is_to_come = {{}}\n")
    with pytest.raises(ConfigError) as refused:
        place.load()
    assert "this keyid-gateway knows version 1" in refused.value.message
    assert refused.value.hint == "update keyid-gateway, or mend the line `version`"
    assert refused.value.exit_code == 3


KEPT = """
upstream = "https://mine.example/mcp"
header = ["Authorization: Bearer mine"]
max_depth = 50

[profiles.work]
upstream = "https://work.example/mcp"
header = ["Authorization: Bearer work"]
oauth_client_id = "gateway"
oauth_issuer = "https://login.example"
grant = "worker"

[profiles.bare]
upstream = "https://bare.example/mcp"
"""


def test_the_credentials_of_a_profile_are_for_its_own_server(place: Place) -> None:
    place.write(KEPT)
    for url in ("https://work.example/other", "https://WORK.example:443/mcp"):
        assert [header.value for header in place.load({"profile": ["work"], "upstream": [url]}).header] == [
            "Bearer work"
        ]
    for url in ("https://eve.example/mcp", "http://work.example/mcp", "https://work.example:444/mcp"):
        for flags, variables in (({"upstream": [url]}, {}), ({}, {"upstream": url})):
            other = place.load({"profile": ["work"], **flags}, **variables)
            assert (other.upstream, other.header, other.oauth_client_id, other.oauth_issuer) == (url, (), None, None)
            assert (other.grant, other.max_depth) == ("worker", 50)
    given = place.load(
        {"profile": ["work"], "upstream": ["https://eve.example/mcp"], "header": ["Authorization: Bearer x"]}
    )
    assert [header.value for header in given.header] == ["Bearer x"]


def test_the_credentials_of_the_rest_of_the_file_are_for_the_server_that_it_names(place: Place) -> None:
    place.write(KEPT)
    assert [header.value for header in place.load().header] == ["Bearer mine"]
    assert place.load({"upstream": ["https://eve.example/mcp"]}).header == ()
    assert place.load({"profile": ["bare"]}).header == ()
    place.write("header = ['X-A: 1']\n")
    assert [header.name for header in place.load({"upstream": ["https://eve.example/mcp"]}).header] == ["X-A"]


def test_an_address_that_is_none_is_a_mistake_and_gets_no_credentials(place: Place) -> None:
    place.write(KEPT)
    for text in ("http://[::1/mcp", "work.example/mcp", "https://work.example:port/mcp"):
        flags = {"profile": ["work"], "upstream": [text]}
        assert place.find(flags).of("header").texts == ()
        with pytest.raises(UsageError, match="--upstream"):
            place.load(flags)


def test_a_secret_in_a_profile_is_a_place_too(place: Place) -> None:
    place.write("[profiles.work]\noauth_client_secret = 's3cret'\n")
    with pytest.raises(ConfigError, match="a secret does not belong here") as refused:
        place.load({"profile": ["work"]})
    assert "s3cret" not in str(refused.value)


def test_whoever_signs_in_is_told_to_use_the_profile(place: Place) -> None:
    client = place.load({"profile": ["work"]}).oauth
    assert client is not None
    assert client.profile == "work"
    usual = place.load().oauth
    assert usual is not None
    assert usual.profile is None
