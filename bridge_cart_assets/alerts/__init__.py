"""Alerts: problems of the lakehouse, which channel knows of them, and how they are sent."""
