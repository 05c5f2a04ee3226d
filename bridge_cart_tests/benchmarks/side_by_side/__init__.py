"""The product and three peers do one job on the same files, and are timed."""
