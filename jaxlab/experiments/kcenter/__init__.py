"""Experiments of the kcenter room: summaries that are fair, private, and close to the data."""
