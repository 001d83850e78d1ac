"""The wheel puts nothing into site-packages but intentc/, and what it carries can be imported.

A checkout and a wheel are laid out differently (see ``intentc/__init__.py``), so every other test could
pass on the checkout while the wheel is broken.
"""

import importlib.util
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path, PurePosixPath

import pytest

import intentc

ROOT = Path(__file__).parent.parent
PRIVATE = ("intent", "compiler", "renderers", "reconciler")

if importlib.util.find_spec("hatchling") is None:
    pytest.skip("hatchling, which builds the wheel, is not installed", allow_module_level=True)


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and unpack it as an installer would."""
    built = tmp_path_factory.mktemp("built")
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--wheel-dir", str(built)]
    result = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", *options, str(ROOT)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    (wheel,) = built.glob("*.whl")
    site = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return site


def carried(site: Path) -> set[str]:
    return {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}


def expected() -> set[str]:
    """Name, as in the wheel, every file of the five packages that is needed at run time."""
    names = {"intentc/data/codes.md"}
    for package in ("intentc", *PRIVATE):
        for pattern in ("*.py", "*.j2", "py.typed"):
            found = (path.relative_to(ROOT).as_posix() for path in (ROOT / package).rglob(pattern))
            names.update(name if package == "intentc" else f"intentc/{name}" for name in found)
    return names


def run_isolated(site: Path, code: str) -> str:
    """Run code with only the unpacked wheel and the third-party packages on the path.

    -S keeps out the path file of an editable install, which would offer the checkout's packages.
    """
    path = [str(site), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    setup = f"import sys; sys.path[:0] = {path!r}\n"
    result = subprocess.run(
        [sys.executable, "-I", "-S", "-c", setup + code],
        check=False,
        capture_output=True,
        text=True,
        cwd=site,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_top_level_names(unpacked: Path) -> None:
    names = {path.name for path in unpacked.iterdir()}
    assert names == {"intentc", f"intentc-{intentc.__version__}.dist-info"}


def test_every_module_and_data_file_is_carried(unpacked: Path) -> None:
    assert expected() - carried(unpacked) == set()


def test_no_tests_are_carried(unpacked: Path) -> None:
    parts = {part for name in carried(unpacked) for part in PurePosixPath(name).parts}
    assert parts.isdisjoint({"tests", "conftest.py", "bench", "examples"})


def test_private_packages_are_invisible_until_intentc_is_imported(unpacked: Path) -> None:
    code = (
        "from importlib.util import find_spec\n"
        f"print([name for name in {PRIVATE!r} if find_spec(name)])\n"
        "import intentc\n"
        f"for name in ('intentc', *{PRIVATE!r}):\n"
        "    print(__import__(name).__file__)\n"
    )
    before, *files = run_isolated(unpacked, code).splitlines()
    assert before == "[]"
    assert files == [
        str(unpacked / "intentc" / "__init__.py"),
        *(str(unpacked / "intentc" / name / "__init__.py") for name in PRIVATE),
    ]


def test_the_command_runs(unpacked: Path) -> None:
    code = (
        "import runpy\n"
        "sys.argv[1:] = ['--version']\n"
        "runpy.run_module('intentc', run_name='__main__', alter_sys=True)\n"
    )
    assert intentc.__version__ in run_isolated(unpacked, code)
