import json

from gateway.authoring.schema import schema
from gateway.standin import Standin
from tests.cli.conftest import TOKEN, Home, Run


def test_the_schema_is_printed(run: Run) -> None:
    ran = run("policy", "schema")
    assert (ran.code, ran.err) == (0, "")
    assert json.loads(ran.out) == schema()


def test_live_narrows_it_to_the_tools_of_the_server(run: Run, home: Home, standin: Standin) -> None:
    assert home.folder.is_dir()
    ran = run("policy", "schema", "--live", "--upstream", standin.url, "--header", f"Authorization: Bearer {TOKEN}")
    assert (ran.code, ran.err) == (0, "")
    tools = json.loads(ran.out)["properties"]["tools"]
    assert len(tools["properties"]) == 64
    assert tools["additionalProperties"] is False


def test_a_server_that_is_not_there(run: Run, home: Home) -> None:
    assert home.folder.is_dir()
    ran = run("policy", "schema", "--live")
    assert (ran.code, ran.out) == (4, "")
    assert ran.err == (
        "error: `http://127.0.0.1:1/mcp` cannot be reached: connection refused\n"
        "hint: check `--upstream` and the network; is the server running?\n"
    )
