"""Experiments of the hopfield room: what is recalled, from how many patterns, through which noise.

``capacity`` holds the jitted curve, ``memories`` the compared functions by name, ``study`` the
images, corruptions and the paired measurement, ``figures`` what is drawn alike. A module that
defines ``run`` is one experiment; the others are parts of one: ``classical_*`` and
``comparison`` of ``classical``, ``recall_law`` of ``capacity_law``, ``energy_networks`` of
``energy``, ``autoencoder`` of ``feature_space``, ``scale_measures`` and ``sharding`` of ``scale``.
"""
