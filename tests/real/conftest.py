"""Programs that several files of tests run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.vpps import running


@pytest.fixture
def vpp(tmp_path: Path) -> Iterator[Any]:
    """Return a client of a VPP that runs for one test."""
    with running(tmp_path) as client:
        yield client
