"""The week in one file: what was sold, what changed, and whether the figures can be trusted."""
