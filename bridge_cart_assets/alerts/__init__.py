"""Alerts: what is wrong now, whom it was said to, and how it is said."""
