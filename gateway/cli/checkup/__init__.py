"""The checks of `doctor`: each looks at one thing, changes nothing, and says what to do where it is not fine.

finding        what a check says
examination    what the checks are handed, and how they are run beside each other
program        version, Python, the packages
configuration  the settings and where each comes from
rules          the policy
reach          the server: name, connection, TLS, protocol, sign-in, tools, its clock
storage        the state file, the disk, the clock, the audit log's end
standing       the stop switch, questions to people, pins
entries        the clients' entries, started as the clients would
boundary       who could go round all of it, and the log file

A check is a module here and one line in `CHECKS`.
"""

from typing import Final

from gateway.cli.checkup import boundary, configuration, entries, program, reach, rules, standing, storage
from gateway.cli.checkup.examination import Check

CHECKS: Final[tuple[Check, ...]] = (
    Check("program", program.check, needs_settings=False),
    Check("settings", configuration.check, needs_settings=False),
    Check("policy", rules.check),
    Check("server", reach.check, seconds=45.0),
    Check("state", storage.check, seconds=15.0),
    Check("standing", standing.check),
    Check("clients", entries.check, seconds=45.0),
    Check("boundary", boundary.check),
)
"""In the order in which they are shown. The longest take as long as a server, or a client's entry, may."""
