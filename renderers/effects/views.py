"""Views change no target: they say once more, for people, what other objects say."""

from __future__ import annotations

from typing import Final

from renderers.fabric import TYPES
from renderers.rules import VIEW, Effects

EFFECTS: Final[Effects] = {
    ("vpp", "exec"): VIEW,
    ("vpp", "host-links"): VIEW,
    ("workloads", "snippet"): VIEW,
    **{("fabric", word): VIEW for word in TYPES},
}
