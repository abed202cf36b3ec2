"""Experiments of the leverage room: scores of columns, the angles they answer for, and their use.

``matrices`` holds the data and planted targets, ``peers`` other libraries' selections, ``sharding``
the comparison of devices, ``pixels`` how chosen pixels are drawn. ``angles``, ``cur``, ``gcss``,
``sampling``, ``scaling`` and ``scca`` are the experiments; ``NAME_report`` and ``NAME_figures`` are
what one of them reports.
"""
