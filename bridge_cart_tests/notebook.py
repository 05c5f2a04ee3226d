"""Runs the notebook of docs/notebooks over a data folder; `make notebook` keeps what it shows.

Belongs here: executing it, and what is kept of the outputs. Does not belong here: what it asks.
"""

import os
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from bridge_cart_assets.settings import Settings

NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebooks" / "exploration.ipynb"
_PATIENCE_SECONDS = 120


def executed(data: Path) -> Any:
    """The notebook after all its cells have run over a data folder.

    Raises:
        CellExecutionError: a cell has failed.
    """
    notebook = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call] # it has no types
    client = NotebookClient(
        notebook,
        timeout=_PATIENCE_SECONDS,
        kernel_name="python3",
        # Its warning that the ports on this machine are not encrypted is no news.
        extra_arguments=["--log-level=ERROR"],
        # When a cell ran is nothing to keep: every run would change the file.
        record_timing=False,
        resources={"metadata": {"path": str(NOTEBOOK.parent)}},
    )
    client.execute(env={**os.environ, "BRIDGE_CART_DATA": str(data.absolute())})
    notebook.metadata["language_info"] = {"name": "python"}
    return notebook


def main() -> int:
    """Run it over BRIDGE_CART_DATA and keep the outputs."""
    settings = Settings.from_environment()
    if not settings.catalogue.exists():
        print(f"error: there is no catalogue {settings.catalogue}: make demo", file=sys.stderr)
        return 1
    try:
        nbformat.write(executed(settings.data), NOTEBOOK)  # type: ignore[no-untyped-call] # as read
    except CellExecutionError as error:
        print(f"error: a cell has failed, nothing was kept\n{error}", file=sys.stderr)
        return 1
    print(f"{NOTEBOOK.name}: {NOTEBOOK.stat().st_size / 1000:,.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
