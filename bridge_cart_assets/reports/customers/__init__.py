"""Finding customers: by id, in lists to act upon, and how they are spread."""
