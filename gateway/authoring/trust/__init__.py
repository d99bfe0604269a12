"""What a person has to know before a server's definitions are trusted: what they hide, and what changed of them.

    texts    every text that a definition hands to a model, and where it stands
    hidden   what of a text the eye does not see
    orders   what of a text is not description, but an order to the model
    names    names that look like others
    audit    all of that over a whole list of tools
    drift    the difference between two definitions, and what of it is a risk

Pure: definitions come in, findings go out. Nothing here decides about a call.
"""

from gateway.authoring.trust.audit import audit
from gateway.authoring.trust.drift import Change, changes, risks
from gateway.authoring.trust.texts import Finding

__all__ = ["Change", "Finding", "audit", "changes", "risks"]
