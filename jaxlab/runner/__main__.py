"""``python -m jaxlab.runner`` is the command ``jaxlab``."""

from jaxlab.runner.cli import main

if __name__ == "__main__":
    main()
