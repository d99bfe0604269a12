import pytest

from gateway.keyid.confidential import of_name, of_text


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "newPassword",
        "user_password",
        "API_KEY",
        "apiKey",
        "apikey",
        "private_key",
        "accessToken",
        "otp",
        "code",
        "verification_code",
        "smsCode",
        "value",
        "Authorization",
        "recovery-codes-otp",
    ],
)
def test_names_of_secrets(name: str) -> None:
    assert of_name(name) == "secret name"


@pytest.mark.parametrize("name", ["body", "html", "text", "content", "Message", "raw", "attachments"])
def test_names_of_contents(name: str) -> None:
    assert of_name(name) == "content"


@pytest.mark.parametrize(
    "name",
    [
        "to",
        "subject",
        "key",
        "totp_id",
        "secret_name",
        "token_type",
        "postal_code",
        "country_code",
        "author",
        "spinner",
        "content_type",
        "",
        "1",
        "键",
    ],
)
def test_names_that_say_nothing(name: str) -> None:
    assert of_name(name) is None


@pytest.mark.parametrize(
    "text",
    [
        "eyJhbGciOiJIUzI1NiJ9.e30.x",
        "use Bearer abcdefgh please",
        "-----BEGIN RSA PRIVATE KEY-----",
        "otpauth://totp/x",
        "ghp_abcdefghijklmnop",
        "key sk-proj-abcdefghijkl",
        "AKIAIOSFODNN7EXAMPLE",
        "https://kim:sesame@example.com/",
        "https://example.com/?x=1&token=abc",
        "0123456789abcdef0123456789abcdef",
        "A" * 40,
    ],
)
def test_what_secrets_look_like(text: str) -> None:
    assert of_text(text) == "looks like a secret"


@pytest.mark.parametrize(
    "text", ["", "Hello Kim", "kim@example.com", "https://example.com/?page=2", "2026-01-01T00:00"]
)
def test_what_does_not(text: str) -> None:
    assert of_text(text) is None
