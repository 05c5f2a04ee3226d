"""The `bridge-cart` command.

`command` is the frame: the group of verbs, errors and exit codes. The verbs stand in four modules:
`shop_verbs` has generate; `run_verbs` run, check, retrain and rebuild; `read_verbs` status, sql,
report and try; `repair_verbs` doctor and topics. `options` is what verbs have in common.
"""

from bridge_cart_assets.cli.command import cli, main

__all__ = ["cli", "main"]
