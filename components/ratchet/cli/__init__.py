"""The `ratchet` command: each verb parses its arguments, calls one library function and prints what it returns."""

import importlib
import sys
from collections.abc import Sequence
from keyword import iskeyword

import click

from ratchet import __version__
from ratchet.errors import DEFECT_EXIT_CODE, USAGE_EXIT_CODE, InputError

# verb -> (module of ratchet.cli that holds it, one line of help): known without importing it, so that --help is quick
VERBS = {
    "validate": "Check a problem file before anything learns from it.",
    "sample": "Draw n attempts a problem from a checkpoint.",
    "grade": "Grade attempts against the problems' answers.",
    "select": "Choose the examples that the next iteration learns from.",
    "train": "One training iteration: checkpoint in, checkpoint out.",
    "import": "Turn results that another tool wrote into an attempts file.",
    "evaluate": "Turn graded attempts into a capability profile.",
    "show": "Print the numbers of a profile.",
    "compare": "Compare two profiles, problem by problem.",
    "policy": "Write a policy to start from, or check one.",
    "plan": "Say how much evidence a policy needs, and what it costs.",
    "gate": "Decide whether a checkpoint may be promoted.",
    "verify": "Check that a verdict is signed and speaks of these files.",
    "keys": "Make the key pair that verdicts are signed with.",
    "log": "Log a checkpoint and its profile in MLflow.",
    "promote": "Make a checkpoint champion in MLflow, where its verdict holds.",
    "review": "See what waits for a review; approve or reject it.",
    "dashboard": "Serve the reviewer's pages: what waits, and on which evidence.",
    "reconcile": "Put @champion back where a valid verdict backs it.",
    "rollback": "Make an earlier champion champion again.",
    "run": "A whole self-improvement run on this machine.",
    "pipeline": "Compile the pipelines for Kubeflow.",
    "quickstart": "Make the quickstart's own problems and base model.",
}
# module -> the extra of the distribution that brings it
EXTRAS = {
    "great_expectations": "validate",
    "pandas": "validate",
    "torch": "sample",
    "transformers": "sample",
    "tokenizers": "sample",
    "trl": "train",
    "datasets": "train",
    "math_verify": "grade",
    "latex2sympy2_extended": "grade",
    "sympy": "grade",
    "mlflow": "registry",
    "sqlalchemy": "registry",
    "starlette": "dashboard",
    "uvicorn": "dashboard",
    "kfp": "kfp",
}


class _LazyGroup(click.Group):
    """A group that imports a verb's module when the verb is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        name = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name  # `import` can't name a module
        command = getattr(importlib.import_module(f"ratchet.cli.{name}"), name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="ratchet")
def cli() -> None:
    """Self-improvement loops for language models that cannot slip back.

    Every command explains itself: `ratchet gate --help`.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; user errors end as one line and exit code 64, defects of Ratchet as 70."""
    sys.exit(invoke(arguments))


def invoke(arguments: Sequence[str] | None = None) -> int:
    """The exit code of the command, after its errors have been rendered.

    It is not named `run`: the module of that verb, once imported, would take the name's place.
    """
    try:
        result = cli.main(args=None if arguments is None else list(arguments), standalone_mode=False)
        return result if isinstance(result, int) else 0
    except InputError as error:
        return _fail(str(error), USAGE_EXIT_CODE)
    except click.ClickException as error:
        return _fail(_usage_line(error), USAGE_EXIT_CODE)
    except (click.Abort, KeyboardInterrupt):
        return _fail("stopped; the same command goes on where this one was", 130)
    except Exception as error:
        extra = EXTRAS.get((error.name or "").partition(".")[0]) if isinstance(error, ModuleNotFoundError) else None
        if extra is not None:
            line = f"{error}; expected the extra {extra!r}; install it with pip install 'ratchet-mlops[{extra}]'"
            return _fail(line, USAGE_EXIT_CODE)
        import traceback

        traceback.print_exc()
        return _fail("this is a defect of Ratchet, please report it with the lines above", DEFECT_EXIT_CODE)


def _usage_line(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    hint = f" (see '{context.command_path} --help')" if context is not None else ""
    return " ".join(error.format_message().split()) + hint


def _fail(line: str, code: int) -> int:
    click.echo(f"ratchet: {line}", err=True)
    return code
