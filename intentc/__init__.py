"""The intentc command; an installed wheel keeps its packages private to this folder.

In a checkout ``intent``, ``compiler``, ``renderers`` and ``reconciler`` lie beside this folder and are
imported by their own names. A wheel carries them inside it, where nobody else meets them, and they come
first on the path, so that no other distribution's package of the same name can take their place.
"""

import sys
from pathlib import Path

__version__ = "0.1.0"

_HERE = Path(__file__).parent

if (_HERE / "intent" / "__init__.py").is_file():
    sys.path.insert(0, str(_HERE))
