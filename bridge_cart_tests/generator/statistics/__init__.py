"""How the clean synthetic shop compares with real ones; the package behind docs/statistics.md.

`python -m bridge_cart_tests.generator.statistics` makes the `shops`, takes their `figures`, fits
BG/NBD to them (`bgnbd`), and writes the tables of the page (`page`) and its pictures (`plots`).
`test_statistics`, beside the package, holds the shop to the bands: those of the figures stand in
`figures`, those of the fit in `bgnbd`.
"""
