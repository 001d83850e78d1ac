"""Fuzz one target for so many seconds: `python -m fuzz TARGET SECONDS FOLDER`.

FOLDER keeps what was learned (the corpus) between runs, and the inputs that broke something.
"""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["intent", "compiler.ledger", "reconciler"]):
    from fuzz.targets import TARGETS
from fuzz.seeds import seeds, words


def main() -> None:
    """Run libFuzzer; it ends the process, with a code other than 0 after a finding."""
    name, seconds, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    corpus = folder / name
    corpus.mkdir(parents=True, exist_ok=True)
    with redirect_stdout(sys.stderr):
        first = seeds(name)
    for number, seed in enumerate(first):
        (corpus / f"seed-{number}").write_bytes(seed)
    dictionary = folder / "words"
    dictionary.write_text("".join(f'"{_escaped(word)}"\n' for word in words()), encoding="utf-8")
    options = [
        f"-max_total_time={seconds}",
        f"-dict={dictionary}",
        f"-artifact_prefix={folder}/{name}-",
        f"-max_len={max(8192, 2 * max(map(len, first)))}",
        "-timeout=10",
        "-rss_limit_mb=2048",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], TARGETS[name])
    atheris.Fuzz()


def _escaped(word: str) -> str:
    return "".join(sign if sign.isalnum() else f"\\x{ord(sign):02x}" for sign in word)


if __name__ == "__main__":
    main()
