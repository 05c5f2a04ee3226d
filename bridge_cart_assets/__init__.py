"""Bridge-Cart: a lakehouse for a shop's orders and customers.

The rooms, from the top: `definitions` (the Dagster code location on one page) and `cli`; then
`automation`, `assets`, `checks`; `reports` and `generator`, which know no Dagster; `ingestion`
and `sources`; `models` and `transforms`, which are pure; `lake` and `tables` at the bottom.
Imports run downward only. docs/architecture.md has the whole picture.
"""
