"""Experiments of the hopfield room: what is recalled, from how many patterns, through which noise.

``capacity`` holds the jitted curve, ``memories`` the compared functions by name, ``study`` the
images, corruptions and the paired measurement, ``figures`` what is drawn alike; every other module
is one experiment.
"""
