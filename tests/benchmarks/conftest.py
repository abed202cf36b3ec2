"""The test suite leaves this folder alone: ``python -m tests.benchmarks`` runs the benchmarks."""

collect_ignore_glob = ["*.py"]
