"""The tables that a lake stores, layer by layer."""

from bridge_cart_assets.pipeline.gold import GOLD_TABLES
from bridge_cart_assets.sources import SOURCES
from bridge_cart_assets.tables.gold import INTERNAL as GOLD_INTERNAL
from bridge_cart_assets.tables.ops import TABLES as OPS_TABLES
from bridge_cart_assets.tables.silver import INTERNAL, SETTINGS
from bridge_cart_assets.tables.silver import TABLES as SILVER_TABLES
from bridge_cart_assets.tables.table import Table

RAW_TABLES: tuple[Table, ...] = tuple(source.raw for source in SOURCES)
# Those that people read; `INTERNAL` holds what the fold needs beside them.
PUBLISHED_TABLES: tuple[Table, ...] = (*SILVER_TABLES, *GOLD_TABLES)
# Columns that name a person without being flagged as personal: ids are what tables are joined by.
_NAMES = {"customer_id", "order_id", "identity"}
STORED_TABLES: tuple[Table, ...] = (
    *RAW_TABLES,
    *OPS_TABLES,
    *SILVER_TABLES,
    *INTERNAL,
    SETTINGS,
    *GOLD_TABLES,
    *GOLD_INTERNAL,
)
# Tables with rows about persons.
PERSONAL_TABLES: tuple[Table, ...] = tuple(
    table for table in STORED_TABLES if table.pii or _NAMES & table.columns.keys()
)
