"""The command line: arguments in, exit code out. Everything heavy is imported by the command that needs it.

Exit codes: 0 nothing to do or done, 1 error, 2 the plan has changes.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Final, NoReturn

from intentc import __version__
from intentc.files import reason

COMMANDS: Final[dict[str, str]] = {
    "init": "make a small repository that validates and plans at once",
    "validate": "check all intent, and say everything that is wrong with it",
    "diff": "show what changes between two git revisions, for review (exit code 2: something)",
    "plan": "show what would change on the targets (exit code 2: there are changes)",
    "apply": "make the changes of the plan, and read them back",
    "run": "follow a branch of a git remote, and keep the targets as it says",
    "agent": "keep the data plane of one node as its slice says, on the node itself",
    "drift": "show what on the targets is not as intent says (exit code 2: something)",
    "render": "write the rendered objects, for a look or another tool",
    "facts": "show what others decide, or capture it from BGP into a file",
    "ledger": "show, update or clean up the leases of ids (intentc.lock)",
    "explain": "say what a line of intent causes, what causes an object, or what a code means",
    "graph": "draw topology and dependencies as SVG or HTML",
    "schema": "print JSON Schema for editors",
}
"""Every command, in the order of the help: a module of intentc.commands with `arguments` and `run`."""


class _Parser(argparse.ArgumentParser):
    """A parser whose errors leave with 1, since 2 means that a plan has changes."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the command line."""
        self.print_usage(sys.stderr)
        self.exit(1, f"{self.prog}: {message}\n  hint: {self.prog} --help\n")


def parser() -> argparse.ArgumentParser:
    """Build the parser; commands add their own arguments when they are chosen."""
    top = _Parser(
        prog="intentc",
        description="Network intent in git becomes one change on nodes, in Kubernetes and in the fabric.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="commands:\n" + "\n".join(f"  {name:10} {text}" for name, text in COMMANDS.items()),
    )
    top.add_argument("--version", action="version", version=f"intentc {__version__}")
    _add_root(top, Path())
    top.add_argument("command", choices=COMMANDS, metavar="COMMAND", help="one of the commands below")
    rest = top.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    rest.required = False  # argparse would name it among what is missing
    return top


def run(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    given = parser().parse_args(argv)
    _tune()
    module = import_module(f"intentc.commands.{given.command}")
    options = _Parser(prog=f"intentc {given.command}", description=module.__doc__)
    _add_root(options, given.root)
    module.arguments(options)
    command: Callable[[argparse.Namespace], int] = module.run
    try:
        chosen = options.parse_args(given.rest)
        if given.command != "init" and not chosen.root.is_dir():
            sys.stderr.write(f"intentc: there is no folder {chosen.root}\n")
            return 1
        code = command(chosen)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        sys.stderr.write(
            "\nintentc: interrupted; what was applied so far stays, run plan to see what is left\n"
        )
        return 1
    except BrokenPipeError:
        # The reader (less, head) has gone: nobody is left to tell.
        sys.stderr.close()
        return 1
    except OSError as error:
        # Commands tell of files themselves; what is left is standard output, on a full disk.
        sys.stderr.write(f"intentc: {reason(error)}\n")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _add_root(options: argparse.ArgumentParser, default: Path) -> None:
    """Add `-C`, which people write before and behind the command."""
    text = "repository (default: here)"
    options.add_argument("-C", dest="root", type=_folder, default=default, metavar="DIR", help=text)


def _folder(text: str) -> Path:
    if Path(text).is_file():
        raise argparse.ArgumentTypeError(f"{text} is a file; name the folder that it lies in")
    return Path(text)


def _tune() -> None:
    """Collect garbage rarely, and load no plug-in of pydantic.

    A compile makes many objects that all live to its end. Plug-ins of other packages have no say in what is
    valid intent, and looking for them takes a tenth of the start-up time.
    """
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
    import gc

    gc.set_threshold(1_000_000, 50, 50)
