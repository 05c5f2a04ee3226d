"""The work itself, from landed files to the DuckDB catalogue, without Dagster.

Belongs here: what one run does, table by table, and what is due. Does not belong here: asking for
a run (`automation`), and what Dagster shows of it (`assets`).

Modules in the order of the work: `plan`, `intake`, `silver`, `gold`; `rebuild`; `chain` is all of
it in one call. `dry_run` follows one file as far as silver and writes nothing. `pending`, `losses`
and `recovery` compare raw with what silver has counted.
"""

from bridge_cart_assets.pipeline.chain import run

__all__ = ["run"]
