"""The experiments: one module per reproduced claim, one folder per method.

An experiment is a module with a ``Config``, its ``CLAIMS`` and a ``run`` function; its values are
in ``configs/NAME.toml``. :mod:`jaxlab.experiments.interface` says what each of the three is.
"""
