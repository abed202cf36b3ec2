"""Experiments of the graph_algorithms room: what learned predictions save, and at what error."""
