"""The documentation site: ``make docs``.

Pages on the API are written from ``__all__`` when a build starts, the notebooks are run, and
README, CONTRIBUTING, CHANGELOG and the tables of benchmarks are shown as they stand in the
repository.
"""

import os
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS / "extensions"))

import jaxlab  # noqa: E402

project = "jaxlab"
author = copyright = "The jaxlab developers"
release = version = jaxlab.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "myst_nb",
    "public_api",
    "repository_pages",
]
exclude_patterns = ["_build", "extensions"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
napoleon_use_rtype = False
napoleon_custom_sections = ["Cost", "Source"]
maximum_signature_line_length = 90
python_use_unqualified_type_names = True

# What a signature names outside of jaxlab has no page here.
nitpicky = True
nitpick_ignore_regex = [
    ("py:class", r"(?!jaxlab\.).*\W.*"),
    ("py:class", r"ndarray|Figure|[a-z]"),
    ("py:class", r".*\._.*|.*\.(T|Spectrum)"),
]

myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
# A notebook that raises fails the build. Outputs are kept until a notebook changes.
nb_execution_mode = os.environ.get("JAXLAB_DOCS_NOTEBOOKS", "cache")
nb_execution_cache_path = str(DOCS.parent / ".cache" / "notebooks")
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_merge_streams = True

html_theme = "furo"
html_title = "jaxlab"
html_static_path = ["_static"]
html_css_files = ["site.css"]
