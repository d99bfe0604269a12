"""Settings: flag > `KEYID_GATEWAY_*` > settings file > default, each from one table.

values   what one setting may be, and how it is read from a text
model    all of them together, as `run` gets them
options  the table: a row a setting
sources  the flags, the environment and the file, and which of them wins
"""

from gateway.settings.model import APP, Settings
from gateway.settings.options import OPTIONS, PREFIX, Option
from gateway.settings.sources import load, parse_flags
from gateway.settings.values import Header

__all__ = ["APP", "OPTIONS", "PREFIX", "Header", "Option", "Settings", "load", "parse_flags"]
