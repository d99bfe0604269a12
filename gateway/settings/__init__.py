"""Settings: flag > `KEYID_GATEWAY_*` > profile > rest of the settings file > default, each from one table.

values   what one setting may be, and how it is read from a text
model    all of them together, as `run` gets them
options  the table: a row a setting
file     the settings file: what may stand in it
sources  the flags, the environment and the file, and which of them wins
profiles settings under a name, written into the file and taken out of it
editing  the settings file as a person keeps it: comments and order stay
masks    what may be shown of a setting
"""

from gateway.settings.model import APP, KEYID, Settings
from gateway.settings.options import OPTIONS, PREFIX, Option
from gateway.settings.sources import Found, Sources, config_dir, find, load, parse_flags
from gateway.settings.values import Header

__all__ = [
    "APP",
    "KEYID",
    "OPTIONS",
    "PREFIX",
    "Found",
    "Header",
    "Option",
    "Settings",
    "Sources",
    "config_dir",
    "find",
    "load",
    "parse_flags",
]
