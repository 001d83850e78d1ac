"""The intentc command; an installed wheel keeps its packages private to this folder.

In a checkout ``intent``, ``compiler``, ``renderers`` and ``reconciler`` lie beside this folder and are
imported by their own names. A wheel carries them inside it, where nobody else meets them, and they come
first on the path, so that no other distribution's package of the same name can take their place.
"""

import os
import sys

__version__ = "0.1.0"

_HERE = os.path.dirname(__file__)  # noqa: PTH120 -- pathlib would triple the time that --version takes

if os.path.isfile(os.path.join(_HERE, "intent", "__init__.py")):  # noqa: PTH113, PTH118 -- as above
    sys.path.insert(0, _HERE)
