"""What every identity begins with; the names and addresses are invented (RFC 2606 domains)."""

from gateway.standin.identity.totp import TotpEntry

EMAIL = "robin.hale@agents.example"
PHONE = "+15550100"
DISPLAY_NAME = "Robin Hale"

TOTP_ENTRIES = (
    TotpEntry("totp_0001", "Example Forge", EMAIL, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"),
    TotpEntry("totp_0002", "Example Bank", EMAIL, "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"),
)

SECRETS = {"demo/api-key": "standin-not-a-real-key-0001"}

CONTACTS = (("Ada Example", "ada@example.com"), ("Ben Example", "ben@example.org"))

INBOX = (
    ("welcome@keyid.example", "Welcome", "Your stand-in identity is ready. Nothing here leaves this machine."),
    ("ada@example.com", "Lunch on Friday", "Shall we meet at noon?"),
)

PERSONA: dict[str, object] = {"first_name": "Robin", "last_name": "Hale", "display_name": DISPLAY_NAME}
