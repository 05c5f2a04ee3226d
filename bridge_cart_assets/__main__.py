"""`python -m bridge_cart_assets` is the `bridge-cart` command."""

from bridge_cart_assets.cli.process import program

program()
