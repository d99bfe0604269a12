"""Every setting is read from one table, in one order; what is accepted is in force."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from gateway.errors import ConfigError, UsageError
from gateway.settings import OPTIONS, Header, Settings, load, parse_flags


class Place:
    """A config folder, and settings loaded from there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, text: str | bytes) -> None:
        data = text if isinstance(text, bytes) else text.encode()
        (self.folder / "settings.toml").write_bytes(data)

    def load(self, flags: Mapping[str, Sequence[str]] | None = None, **variables: str) -> Settings:
        """Load with these flags and, by the name of their setting, these variables."""
        environment = {f"KEYID_GATEWAY_{name.upper()}": text for name, text in variables.items()}
        return load(flags or {}, {"KEYID_GATEWAY_CONFIG_DIR": str(self.folder), "PATH": "/bin", **environment})


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_every_setting_is_an_option_and_every_option_a_setting() -> None:
    names = {field.name for field in dataclasses.fields(Settings)} - {"config_dir"}
    assert {option.name for option in OPTIONS} == names
    assert all(option.help and (option.metavar or option.switch) for option in OPTIONS)


def test_with_nothing_said_the_defaults_hold(place: Place) -> None:
    settings = place.load()
    assert (settings.upstream, settings.policy, settings.header) == ("https://keyid.ai/mcp", None, ())
    assert (settings.connect_timeout, settings.request_timeout, settings.call_timeout) == (10.0, 45.0, 330.0)
    assert (settings.call_ceiling, settings.idle_timeout) == (3600.0, 330.0)
    assert (settings.max_message_bytes, settings.max_depth, settings.log_level) == (16 * 2**20, 128, "info")
    assert settings.grant
    assert settings.state.is_absolute()
    assert settings.user_policy == place.folder / "policy.json"


def test_what_the_log_keeps_of_arguments(place: Place) -> None:
    place.write("audit_arguments = ['values', 'put_secret=none']\naudit_redact = 'send_email=args.to'\n")
    keeping = place.load().keeping
    assert [(rule.tools, rule.how) for rule in keeping.keep] == [("*", "values"), ("put_secret", "none")]
    assert [(rule.tools, rule.path.text) for rule in keeping.redact] == [("send_email", "args.to")]


def test_a_flag_goes_before_a_variable_before_the_file(place: Place) -> None:
    place.write("grant = 'file'\nmax_depth = 50\nlog_level = 'debug'\n")
    settings = place.load({"grant": ["flag"]}, grant="variable", max_depth="60")
    assert (settings.grant, settings.max_depth, settings.log_level) == ("flag", 60, "debug")


def test_a_relative_path_of_the_file_begins_at_its_folder_and_of_a_flag_where_the_program_is(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = place.folder / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("HOME", "/home/me")
    place.write(
        "policy = 'rel.json'\nstate = '../s.db'\nlog_file = '~/g.log'\nproject_policy = '.keyid-gateway/p.json'\n"
    )
    settings = place.load()
    assert settings.policy == str(place.folder / "rel.json")
    assert settings.state == place.folder / "../s.db"
    assert settings.log_file == Path("/home/me/g.log")
    assert settings.project_policy == elsewhere / ".keyid-gateway/p.json"
    assert place.load({"policy": ["rel.json"]}).policy == str(elsewhere / "rel.json")
    assert place.load(policy="rel.json").policy == str(elsewhere / "rel.json")
    place.write("policy = '/abs.json'\nstate = '/s.db'\n")
    assert (place.load().policy, place.load().state) == ("/abs.json", Path("/s.db"))
    place.write("policy = 'builtin:recommended'\n")
    assert place.load().policy == "builtin:recommended"


def test_an_empty_variable_says_nothing(place: Place) -> None:
    place.write("grant = 'file'\n")
    assert place.load(grant="").grant == "file"


@pytest.mark.parametrize("name", [option.name for option in OPTIONS])
def test_every_option_can_be_given_in_all_four_ways(place: Place, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place.folder)
    secret = place.folder / "secret"
    secret.write_text("s3cret\n", encoding="utf-8")
    key = place.folder / "key"
    key.write_text("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n", encoding="utf-8")
    texts = {
        "upstream": "http://a.example/mcp",
        "header": "X-A: b",
        "switch_off": "sampling",
        "list": "callable",
        "conceal_hidden": "true",
        "pins": "enforce",
        "approve_desktop": "dialog",
        "log_level": "error",
        "max_message_bytes": "2048",
        "audit_arguments": "keys",
        "audit_redact": "args.to",
        "sign_in": "true",
        "oauth_client_secret": f"file:{secret}",
        "oauth_client_key": f"file:{key}",
        "oauth_client_metadata_url": "https://a.example/client.json",
        "oauth_issuer": "https://a.example",
        "oauth_flow": "client_credentials",
    }
    text = texts.get(name, "64")
    profiles = "[profiles.64]\n"
    place.write(profiles)
    by_flag = place.load({name: [text]})
    by_variable = place.load(None, **{name: text})
    place.write(f"{name} = '{text}'\n{profiles}")
    assert getattr(by_flag, name) == getattr(by_variable, name) == getattr(place.load(), name)
    if name != "profile":
        place.write(f"{profiles}{name} = '{text}'\n")
        assert getattr(place.load({"profile": ["64"]}), name) == getattr(by_flag, name)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("upstream", "ftp://example.com", "an http:// or https:// URL is needed"),
        ("upstream", "example.com/mcp", "an http:// or https:// URL is needed"),
        ("upstream", "http://", "an http:// or https:// URL is needed"),
        ("upstream", "https://u:p@example.com", "credentials do not belong in the URL"),
        ("grant", "a\nb", "a grant is a name of 1 to 200 printable characters"),
        ("grant", "a" * 201, "a grant is a name of 1 to 200 printable characters"),
        ("approve_desktop", "loud", "`off`, `notify` or `dialog` is needed"),
        ("approve_in_client", "a\nb", "the name by which a client introduces itself is needed"),
        ("approve_in_client", "a" * 201, "the name by which a client introduces itself is needed"),
        ("log_level", "loud", "one of `debug`, `info`, `warning`, `error` is needed"),
        ("connect_timeout", "0", "a number of seconds above 0 and up to 86400 is needed"),
        ("connect_timeout", "-1", "a number of seconds above 0 and up to 86400 is needed"),
        ("call_timeout", "nan", "a number of seconds above 0 and up to 86400 is needed"),
        ("call_timeout", "inf", "a number of seconds above 0 and up to 86400 is needed"),
        ("call_timeout", "1e9", "a number of seconds above 0 and up to 86400 is needed"),
        ("max_message_bytes", "1023", "a whole number from 1024 to 1073741824 is needed"),
        ("max_message_bytes", "1.5", "a whole number from 1024 to 1073741824 is needed"),
        ("max_depth", "9" * 20, "a whole number from 8 to 500 is needed"),
        ("oauth_client_metadata_url", "https://a.example", "an https:// URL with a path is needed"),
        ("oauth_client_metadata_url", "http://a.example/c.json", "an https:// URL with a path is needed"),
        ("header", "no colon", "a header is written `Name: value`, `Name: env:VARIABLE`, `Name: file:PATH` or"),
        ("header", ": value", "a header is written `Name: value`, `Name: env:VARIABLE`, `Name: file:PATH` or"),
        ("header", "Bad Name: value", "a header is written `Name: value`, `Name: env:VARIABLE`, `Name: file:PATH` or"),
        ("header", "Größe: value", "a header is written `Name: value`, `Name: env:VARIABLE`, `Name: file:PATH` or"),
        ("header", "X-A:", "the value of header `X-A` is empty or has characters that a header cannot carry"),
        ("header", "X-A: a\rb", "the value of header `X-A` is empty or has characters that a header cannot carry"),
        ("header", "X-A: é", "the value of header `X-A` is empty or has characters that a header cannot carry"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_wherever_it_stands(
    place: Place, name: str, text: str, reason: str
) -> None:
    flag = next(option.flag for option in OPTIONS if option.name == name)
    with pytest.raises(UsageError) as by_flag:
        place.load({name: [text]})
    assert by_flag.value.message.startswith(f"{flag}: {reason}")
    assert by_flag.value.hint is not None
    assert by_flag.value.hint.startswith(flag)
    with pytest.raises(ConfigError) as by_variable:
        place.load(None, **{name: text})
    assert by_variable.value.message.startswith(f"KEYID_GATEWAY_{name.upper()}: {reason}")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("X-A: file:/not/there", "the file `/not/there` cannot be read: No such file or directory"),
        ("X-A: env:NOT_THERE", "the environment variable `NOT_THERE` is not set"),
    ],
)
def test_a_place_where_nothing_is_has_a_cure_of_its_own(place: Place, text: str, reason: str) -> None:
    with pytest.raises(UsageError) as refused:
        place.load({"header": [text]})
    assert refused.value.message == f"--header: {reason}"
    assert refused.value.hint is not None
    assert refused.value.hint.startswith("it has to be there when the gateway starts; or name another place: ")


def test_a_switch_is_a_flag_alone_and_true_or_false_elsewhere(place: Place) -> None:
    assert parse_flags(["--sign-in", "--grant", "me"]) == {"sign_in": ["true"], "grant": ["me"]}
    assert parse_flags(["--sign-in=false"]) == {"sign_in": ["false"]}
    assert not place.load().sign_in
    place.write("sign_in = true\n")
    assert place.load().sign_in
    assert not place.load(sign_in="0").sign_in
    with pytest.raises(ConfigError, match="KEYID_GATEWAY_SIGN_IN: `true` or `false` is needed"):
        place.load(sign_in="maybe")


def test_a_secret_is_named_on_a_command_line_and_in_the_file_and_may_be_a_variable(place: Place) -> None:
    assert place.load(oauth_client_secret="s3cret").oauth_client_secret == "s3cret"
    with pytest.raises(UsageError, match="--oauth-client-secret: a secret does not belong here") as flag:
        place.load({"oauth_client_secret": ["s3cret"]})
    assert "s3cret" not in str(flag.value)
    place.write("oauth_client_secret = 's3cret'\n")
    with pytest.raises(ConfigError, match=r"settings\.toml: oauth_client_secret: a secret") as file:
        place.load()
    assert "s3cret" not in str(file.value)
    assert "s3cret" not in repr(place.load({"oauth_client_secret": [""]}, oauth_client_secret="s3cret"))


def test_an_authorization_header_switches_oauth_off(place: Place) -> None:
    assert place.load({"header": ["authorization: Bearer x"]}).oauth is None
    client = place.load({"header": ["X-Api-Key: x"], "oauth_client_id": [""]}).oauth
    assert client is not None
    assert (client.upstream, client.id, client.flow) == ("https://keyid.ai/mcp", None, "code")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"grnt = 'x'", "unknown setting `grnt`"),
        (b"[run]\ngrant = 'x'", "unknown setting `run`"),
        (b"grant = ['a', 'b']", "`grant` takes one value, not a list"),
        (b"grant = true", "`grant` must be a text or a number"),
        (b"header = [1, {}]", "`header` must be a text or a number"),
        (b"grant = ", "is not valid TOML"),
        (b"grant = 'x'\ngrant = 'y'", "is not valid TOML"),
        (b"grant = '\xff'", "is not valid TOML"),
        (b"max_depth = 4", "settings.toml: max_depth: a whole number from 8 to 500 is needed"),
    ],
)
def test_a_settings_file_that_makes_no_sense_is_refused(place: Place, text: bytes, reason: str) -> None:
    place.write(text)
    with pytest.raises(ConfigError) as refused:
        place.load()
    assert reason in refused.value.message
    assert refused.value.exit_code == 3


def test_numbers_may_stand_in_the_file_as_numbers(place: Place) -> None:
    place.write("connect_timeout = 2.5\nmax_depth = 64\nheader = ['X-A: 1', 'X-B: 2']\n")
    settings = place.load()
    assert (settings.connect_timeout, settings.max_depth) == (2.5, 64)
    assert [header.name for header in settings.header] == ["X-A", "X-B"]


def test_a_variable_that_nobody_knows_is_refused_with_the_nearest_name(place: Place) -> None:
    with pytest.raises(ConfigError) as refused:
        place.load(upstraem="x")
    assert str(refused.value) == (
        "unknown setting `KEYID_GATEWAY_UPSTRAEM` in the environment\nhint: did you mean `KEYID_GATEWAY_UPSTREAM`?"
    )
    place.write("zzzzzz = 1")
    with pytest.raises(ConfigError, match=r"known are .*`audit_arguments`, `audit_redact`, `call_ceiling`"):
        place.load()


# --- headers ----------------------------------------------------------------------------------------------------------


def test_the_value_of_a_header_is_read_from_where_it_is_kept(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_TOKEN", " Bearer one \n")
    file = tmp_path / "token"
    file.write_text("Bearer two\n", encoding="utf-8")
    given = ["A: env:A_TOKEN", f"B: file:{file}", "C: three: four", "D: env", "E: ENV:A_TOKEN"]
    assert place.load({"header": given}).header == (
        Header("A", "Bearer one", literal=False),
        Header("B", "Bearer two", literal=False),
        Header("C", "three: four", literal=True),
        Header("D", "env", literal=True),
        Header("E", "ENV:A_TOKEN", literal=True),
    )


def test_the_value_of_a_header_is_never_shown(place: Place) -> None:
    settings = place.load({"header": ["Authorization: s3cret"]})
    assert "s3cret" not in repr(settings)
    with pytest.raises(UsageError) as refused:
        place.load({"header": ["Authorization: s3cret\r\nX: y"]})
    assert "s3cret" not in str(refused.value)


# --- the address ------------------------------------------------------------------------------------------------------


def test_the_server_is_named_without_its_query(place: Place) -> None:
    settings = place.load({"upstream": ["https://example.com:8443/mcp?key=secret#part"]})
    assert settings.server == "https://example.com:8443/mcp"


def test_paths_are_absolute_and_the_home_is_known(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    settings = place.load({"state": ["~/s.db"], "policy": ["p.json"], "log_file": ["./l.log"]})
    assert (settings.state, settings.log_file) == (tmp_path / "s.db", tmp_path / "l.log")
    assert settings.policy == str(tmp_path / "p.json")
    assert place.load({"policy": ["builtin:recommended"]}).policy == "builtin:recommended"


# --- the quick reading of flags ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ([], {}),
        (["--grant", "a"], {"grant": ["a"]}),
        (["--grant=a=b"], {"grant": ["a=b"]}),
        (["--grant="], {"grant": [""]}),
        (["--log-level", "debug", "--header", "A: 1"], {"log_level": ["debug"], "header": ["A: 1"]}),
        (["--header", "A: 1", "--header=B: 2"], {"header": ["A: 1", "B: 2"]}),
        (["--grant", "--state"], {"grant": ["--state"]}),
        (["--grant"], None),
        (["--grant", "a", "--grant", "b"], None),
        (["--grnt", "a"], None),
        (["--help"], None),
        (["a"], None),
        (["--grant", "a", "extra"], None),
    ],
)
def test_flags_are_read_or_left_to_whoever_explains_them(words: list[str], found: dict[str, list[str]] | None) -> None:
    assert parse_flags(words) == found
