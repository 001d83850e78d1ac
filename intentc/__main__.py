"""Entry of the command; it answers `--version` itself, since that is asked often and needs nothing else."""

import sys

from intentc import __version__


def main() -> int:
    """Run the command line of this process and return its exit code."""
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"intentc {__version__}\n")
        return 0
    from intentc.cli import run

    return run()


if __name__ == "__main__":
    sys.exit(main())
