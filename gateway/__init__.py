"""keyid-gateway: the policy gateway between an AI agent and an MCP server.

The rooms, from the top floor to the ground (imports go down only; the contract is in `pyproject.toml`):

    __main__     the process: `run` without importing what only people need, everything else by `cli`
    cli          one module a command
    app          composition root: the only module that names implementations
    authoring    what helps a person write a policy: a tool a module
    clients      where clients keep their servers: an entry is put there, and taken out again
    settings     flag > environment > settings file > default      | standin  the embedded KeyID stand-in
    relay        the pump: lines in, lines out; ids, cancel
    dispatch     which way one request takes
    proving      the self-test: no policy judges before it has refused what it is to
    interceptor  one judged request: judge, relay, settle
    filters      what a client gets to see of the upstream's lists   | translation  between the eras
    judging      what is decided and recorded of it, at one moment
    pinned       whether what the server announces is what was accepted of it
    approvals    how a person is asked, and how a call waits for the answer
    crowd        who waits when too much is in flight
    case         what judging is about and what it needs             | exchanges  calls that were asked for more
    halted       what a stop or a revoked grant comes to             | assigned   the policy that is a grant's own
    attendance   that this gateway runs, noted for `status`
    announced    what follows from a list of tools: it is kept, misspelt names are said
    settling     what came of calls, until it is written
    mirror       keeps the catalogue true                            | notices  what the gateway says of its own accord
    asking       what the gateway asks of the client itself
    questions    what the upstream may ask of the client             | tasks    those that judged calls began
    layered      the policies of site, grant, user and project, as one
    policies     which policy is in force, and its replacement       | replies  what the agent receives
    stdio        the client's side  | upstream  the server's side    | state    what outlives a process
    catalogue    what the upstream announced                         | credentials  what it is shown: tokens, sign-ins
    keyid        what is known of the KeyID tools; the recommended pack
    policy       the decision: document -> compiled policy -> decide(call) -> Decision
    jsonrpc      strict parsing, canonical bytes                     | clock    the only reader of time
    visible      what of a text the eye sees, what would deceive it  | disk     our files: private, whole or not at all
    elsewhere    where programs of others are looked for: not in the project
    errors       what can go wrong, with a hint and an exit code
"""

__version__ = "0.1.0"
