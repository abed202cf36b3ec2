"""Experiments of the correlation_clustering room: cost and recourse while vertices arrive."""
