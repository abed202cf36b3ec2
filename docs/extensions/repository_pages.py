"""README and its siblings as pages of the site, with their links turned to other pages of it.

A link to a file that the site has no page for goes to the repository; one to a file that does not
exist fails the build.
"""

import functools
import os
import re
import shutil
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util import logging

REPOSITORY = "https://github.com/jaxlab/jaxlab/blob/main"
ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
LINK = re.compile(r"(\]\()([^)#:\s]+)((?:#[^)]*)?\))")
CONTENTS = """
```{toctree}
:hidden:

notebooks/index
api/index
benchmarks/index
contributing
changelog
```
"""

logger = logging.getLogger(__name__)


def pages() -> dict[str, str]:
    """Files of the repository and the pages that show them."""
    found = dict(PAGES)
    for room in sorted((ROOT / "jaxlab").iterdir()):
        if (room / "__init__.py").exists():
            found[f"jaxlab/{room.name}/__init__.py"] = f"api/{room.name}/index.rst"
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        found[f"notebooks/{notebook.name}"] = f"notebooks/{notebook.name}"
    for table in sorted((ROOT / "tests" / "benchmarks").glob("*.md")):
        found[f"tests/benchmarks/{table.name}"] = f"benchmarks/{table.name}"
    return found


def write_pages(app: Sphinx) -> None:
    """Write the pages, and the two lists of notebooks and of benchmarks."""
    docs, shown = Path(app.srcdir), pages()
    for stale in [*docs.glob("notebooks/*.ipynb"), *docs.glob("benchmarks/*.md")]:
        stale.unlink()
    for source, target in shown.items():
        path = docs / target
        path.parent.mkdir(parents=True, exist_ok=True)
        if source.endswith(".ipynb"):
            shutil.copyfile(ROOT / source, path)
        elif source.startswith("tests/"):
            text = (ROOT / source).read_text()
            path.write_text(text if text.startswith("# ") else f"# {path.stem}\n\n{text}")
        elif source.endswith(".md"):
            turn = functools.partial(turned, page=target, shown=shown)
            text = LINK.sub(turn, (ROOT / source).read_text())
            path.write_text(text + CONTENTS if target == "index.md" else text)
    for folder, title in (("notebooks", "Notebooks"), ("benchmarks", "Benchmarks")):
        names = sorted(Path(page).stem for page in shown.values() if page.startswith(folder))
        entries = "\n".join(names)
        (docs / folder / "index.md").write_text(
            f"# {title}\n\n```{{toctree}}\n:maxdepth: 1\n\n{entries}\n```\n"
        )


def turned(link: re.Match[str], *, page: str, shown: dict[str, str]) -> str:
    """A link of a page, to another page or to the repository."""
    target = link[2]
    if not (ROOT / target).exists():
        logger.warning("%s links to %s, which does not exist", page, target)
    if target in shown:
        target = os.path.relpath(shown[target], Path(page).parent)
    elif target.startswith("docs/"):
        target = target.removeprefix("docs/")
    else:
        target = f"{REPOSITORY}/{target}"
    return f"{link[1]}{target}{link[3]}"


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
