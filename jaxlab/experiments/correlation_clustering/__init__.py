"""Experiments of the correlation_clustering room: clusterings at once and as vertices arrive."""
