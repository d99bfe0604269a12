"""`policy schema`: the JSON Schema of policies, so that an editor completes and checks them."""

import json
from typing import Final

import click

from gateway.cli.flags import REACHING, json_flag, with_settings
from gateway.cli.screen import verbatim
from gateway.settings import Settings

HELP: Final = """Print the JSON Schema (draft 2020-12) of a policy, for an editor.

Save it, and name it in the policy as `"$schema": "./policy.schema.json"`: the editor then completes keys, says
what they mean, and marks mistakes. With --live the server is asked for its tools, and the schema knows their names
and the paths of their arguments. A name with `*` in it stays free.

\b
Example:
  keyid-gateway policy schema --live > policy.schema.json

What a schema cannot say (a pattern that does not compile, a counter named twice), `policy check` says.

\b
--json: the same; a schema is JSON"""


@click.command("schema", help=HELP, short_help="print the JSON Schema of policies, for an editor")
@click.option("--live", is_flag=True, help="narrow it to the tools that the server announces")
@with_settings(*REACHING)
@json_flag
def command(settings: Settings, *, live: bool, as_json: bool) -> int:
    """The command; its help is `HELP`."""
    del as_json  # it is JSON anyway
    from gateway.authoring.schema import schema  # here, because it imports pydantic

    tools = None
    if live:
        from gateway.cli.live_list import fetch

        catalogue = fetch(settings)
        tools = {name: catalogue.input_schema(name) or {} for name in catalogue.names()}
    verbatim(json.dumps(schema(tools), indent=2))
    return 0
