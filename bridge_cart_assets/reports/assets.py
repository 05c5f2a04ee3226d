"""The files under /static: an allow-list, each with a version that goes into its address.

Belongs here: our own style sheet, script and icon, and Plotly's script out of the installed
package. Does not belong here: anything that is computed from data.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

_HERE = Path(__file__).parent / "static"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class Asset:
    """A file that browsers may keep for a year, because a new version has a new address."""

    path: Path
    version: str

    @property
    def url(self) -> str:
        """Where the page finds it."""
        return f"/static/{self.path.name}?v={self.version}"

    @property
    def media_type(self) -> str:
        """Its content type."""
        return _TYPES[self.path.suffix]


class Assets:
    """All the files that are served, by name."""

    @cached_property
    def by_name(self) -> dict[str, Asset]:
        """File name to asset."""
        own = [Asset(p, _digest(p)) for p in sorted(_HERE.iterdir()) if p.suffix in _TYPES]
        return {asset.path.name: asset for asset in [*own, _plotly()]}

    def url(self, name: str) -> str:
        """The versioned address of a file."""
        return self.by_name[name].url


def _plotly() -> Asset:
    spec = find_spec("plotly")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("plotly is not installed: its script draws the charts")
    script = Path(spec.origin).parent / "package_data" / "plotly.min.js"
    return Asset(script, version("plotly"))


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
