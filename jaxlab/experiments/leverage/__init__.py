"""Experiments of the leverage room: scores of columns, the angles they answer for, and their use.

``matrices`` holds the data and planted targets, ``peers`` other libraries' selections; every other
module is one experiment, with what it reports beside it.
"""
