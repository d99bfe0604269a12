"""`completion`: the script that makes a shell complete our command lines."""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from gateway.cli import COMPLETING
from gateway.cli.launch import SCRIPT
from gateway.cli.screen import verbatim

HELP: Final = """Print the script that makes SHELL (bash, zsh, fish) complete commands, flags, and what they take: the
server's tools and their arguments (as it announced them last; nothing is asked of it), profiles, grants, questions that
wait for an answer.

\b
Examples:
bash
  keyid-gateway completion bash \\
      > ~/.local/share/bash-completion/completions/keyid-gateway
zsh
  keyid-gateway completion zsh > "${fpath[1]}/_keyid-gateway"
fish
  keyid-gateway completion fish \\
      > ~/.config/fish/completions/keyid-gateway.fish

The folder has to be there; the next shell takes it up. `keyid-gateway` has to be on your PATH."""

_Shell: TypeAlias = Literal["bash", "zsh", "fish"]
_CLASSES: Final[Mapping[str, type[ShellComplete]]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
_NO_SPACE: Final[Mapping[str, tuple[str, str]]] = {
    "bash": (
        "    return 0\n",
        "    [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace\n    return 0\n",
    ),
    "zsh": (
        "        _describe -V unsorted completions_with_descriptions -U\n",
        """\
        local -a ends
        [[ ${completions_with_descriptions[1]%%%%:*} == *= ]] && ends=(-S '')
        _describe -V unsorted completions_with_descriptions -U $ends
""",
    ),
    "fish": ("", ""),
}
"""Of click's scripts what has to differ, so that nothing but its value follows the `=` of an argument."""


@click.command("completion", help=HELP, short_help="make a shell complete our command lines")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]), metavar="SHELL")
def command(*, shell: _Shell) -> int:
    """The command; its help is `HELP`."""
    verbatim(script(shell))
    return 0


def script(shell: _Shell) -> str:
    """The script: click's own, but that nothing follows the `=` of an argument but its value."""
    from gateway.cli.commands import root  # the registry, which has this command in it

    kind = _CLASSES[shell]
    usual, ours = _NO_SPACE[shell]
    return kind.source_template.replace(usual, ours) % kind(root, {}, SCRIPT, COMPLETING).source_vars()
