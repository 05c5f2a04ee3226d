"""The pipeline: what the runs did, what became of the records, and whether to trust the figures."""
