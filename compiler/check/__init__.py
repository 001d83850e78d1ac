"""Checks: what intent must fulfil before anything is made of it, inside each domain and across domains.

Each check is a function that reads and reports; `CHECKS` need no ids, `CHECKS_WITH_IDS` run after allocation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from compiler.allocated import Allocated
from compiler.resolved import Resolved
from intent.diagnostics import Report

CHECKS: Final[tuple[Callable[[Resolved, Report], None], ...]] = ()
CHECKS_WITH_IDS: Final[tuple[Callable[[Allocated, Report], None], ...]] = ()
