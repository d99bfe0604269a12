"""The words by which `risk` judges a tool: data, to be read and argued about.

A word stands where its gravest use in real servers puts it: `cancel` undoes what somebody set up, `apply` runs a plan,
`wait` holds a connection. A word that is missing here makes a tool graver, not milder: a name without any of them
counts as one that executes.
"""

from collections.abc import Mapping
from typing import Final

from gateway.keyid import Category


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


VERBS: Final[Mapping[Category, frozenset[str]]] = {
    "Read": _set("""
        browse check count describe download echo examine explain export fetch find get head info inspect list look
        lookup peek ping preview query read retrieve scan search show stat stats status summarize tail validate verify
        view whoami"""),
    "Write": _set("""
        accept add allow annotate append archive assign attach book change close comment commit complete configure copy
        create decline draft edit enable enqueue follow forward generate grant import insert invite join label log make
        mark modify move notify open pin post provision publish push put record register rename reopen reply request
        resolve respond save schedule send set share sign store subscribe sync tag toggle unlock update upload upsert
        wait write"""),
    "Execute": _set("""
        apply approve bash build buy call charge click cmd command compile connect curl deploy dispatch eval evaluate
        exec execute install invoke launch merge migrate navigate order patch pay process purchase refund restart
        rollback run script sell shell spawn sql ssh start stop submit sudo terminal trade transfer trigger
        withdraw"""),
    "Destructive": _set("""
        abort ban block cancel clean cleanup clear deactivate delete deprovision destroy detach disable discard drop
        empty erase evict expire expunge flush forget format kill nuke overwrite prune purge remove reset revert revoke
        rm shred shutdown terminate trash truncate uninstall unlink unpublish unregister unsubscribe void wipe"""),
}

RECIPIENTS: Final = _set("to cc bcc recipient recipients")
"""Arguments of exactly these names: somebody receives what the call says."""

ARGUMENTS: Final[Mapping[Category, frozenset[str]]] = {
    "Write": _set("body content contents force overwrite"),
    "Execute": _set("""
        amount callback cmd command commands endpoint expression href javascript price script shell sql uri url urls
        webhook"""),
    "Destructive": _set("delete destroy purge remove wipe"),
}
"""Words in the names of arguments. An address makes the server go somewhere; a command or an amount does something."""

SENSITIVE: Final = _set("""
    apikey auth cookie cookies credential credentials key keys otp passphrase password passwords private secret secrets
    token tokens totp""")
"""What opens doors."""

CODES: Final = _set("backup login recovery security totp verification")
"""With one of these before it, a code opens doors as well."""
