"""Bridge-Cart: a lakehouse for a shop's orders and customers.

The rooms, from the top: `cli` and `terminal`; `definitions` (the Dagster code location on one
page); `automation`, `assets`, `checks`. The rooms below know no Dagster: `pipeline`; `reports`,
`generator` and `ingestion`; `sources` and `models`; `transforms`; `lake`; `tables`.
Imports run downward only. docs/architecture.md has the whole picture.
"""
