"""The script beside this file runs in an environment that has no pytest."""

collect_ignore = ["make_reference.py"]
