"""The segments page: who is in each segment, who moved where, and the model behind it."""
