"""How much the fault tests do: little in `make test`, much in `make test-faults`."""

import os

# Kills of the real command; kills of functions; sequences of events (0: the short form).
COMMAND_KILLS = int(os.environ.get("BRIDGE_CART_TEST_COMMAND_KILLS", "30"))
KILLS = int(os.environ.get("BRIDGE_CART_TEST_KILLS", "25"))
EXAMPLES = int(os.environ.get("BRIDGE_CART_TEST_EXAMPLES", "0"))
CONFLICTS = int(os.environ.get("BRIDGE_CART_TEST_CONFLICTS", "12"))
