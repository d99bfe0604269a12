"""A command line that does not make sense, said in our words with a hint that says what was probably meant."""

from typing import Final

import click

from gateway.cli.words import shown
from gateway.errors import UsageError, meant

_LONGEST: Final = 80


class Group(click.Group):
    """A group that keeps its commands in the order of the registry."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            close = meant(args[0], self.commands)
            known = "commands are " + ", ".join(f"`{name}`" for name in self.commands)
            raise UsageError(
                f"unknown command `{ctx.command_path} {shown(args[0], _LONGEST)}`",
                f"did you mean `{ctx.command_path} {close}`?" if close else known,
            )
        return super().resolve_command(ctx, args)


def as_usage_error(error: click.ClickException) -> UsageError:
    """The same complaint in our words."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context is not None else "keyid-gateway"
    help_hint = f"`{path} --help` says what can be given"
    match error:
        case click.NoSuchOption():
            close = meant(error.option_name, _flags(context))
            hint = f"did you mean `{close}`?" if close else help_hint
            return UsageError(f"unknown flag `{shown(error.option_name, _LONGEST)}`", hint)
        case click.BadOptionUsage():
            return UsageError(
                f"`{error.option_name}` needs a value", f"put it behind the flag: `{error.option_name} VALUE`"
            )
        case click.MissingParameter():
            name = error.param.human_readable_name if error.param is not None else "argument"
            usage = context.command.get_usage(context).removeprefix("Usage: ") if context is not None else path
            return UsageError(f"`{name}` is missing", f"the form is `{usage}`")
        case click.BadParameter() if error.param is not None:
            name = error.param.opts[0] if isinstance(error.param, click.Option) else error.param.human_readable_name
            wanted = _range(error.param.type) or _ours(error.message)
            close = _choice(error.param.type, error.message)
            hint = f"did you mean `{close}`?" if close else help_hint
            return UsageError(f"`{name.strip('[].')}`: {wanted}", hint)
    return UsageError(_ours(error.format_message()), help_hint)


def _flags(context: click.Context | None) -> list[str]:
    parameters = context.command.get_params(context) if context is not None else []
    return [flag for item in parameters if isinstance(item, click.Option) for flag in item.opts]


def _range(kind: object) -> str | None:
    if not isinstance(kind, click.IntRange):
        return None
    until = "" if kind.max is None else f" to {kind.max}"
    return f"a whole number from {kind.min}{until} is needed"


def _choice(kind: object, message: str) -> str | None:
    """Which of the words that can be given was probably meant; the one that was given is the first of the complaint."""
    _, _, rest = message.partition("'")
    return meant(rest.partition("'")[0], list(map(str, kind.choices))) if isinstance(kind, click.Choice) else None


def _ours(message: str) -> str:
    """Somebody else's sentence as ours are: lower case, back-ticks, no final period."""
    text = shown(message.rstrip(".")).replace("'", "`")
    return text[:1].lower() + text[1:]
