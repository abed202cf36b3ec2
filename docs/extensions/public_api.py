"""Pages on the API, one a room and one a file of it, from ``__all__`` alone.

A name that a docstring mentions without its module is looked up among the public names: first those
of the same room, then all.
"""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode

import jaxlab


def rooms() -> list[str]:
    """Names of the public sub-packages, in order."""
    found = [module.name for module in pkgutil.iter_modules(jaxlab.__path__) if module.ispkg]
    return [name for name in found if name in jaxlab.__all__]


def public_modules(package: str) -> list[str]:
    """Qualified names of the public modules of a package, those of its own packages left out."""
    found = pkgutil.iter_modules(importlib.import_module(package).__path__)
    names = [module.name for module in found if not module.ispkg]
    return [f"{package}.{name}" for name in names if not name.startswith("_")]


def first_line(module: str) -> str:
    """The first line of a module's docstring."""
    return (inspect.getdoc(importlib.import_module(module)) or "").split("\n")[0]


def heading(text: str) -> str:
    """A title of a page in reStructuredText."""
    return f"{text}\n{'=' * len(text)}\n\n"


def write_pages(app: Sphinx) -> None:
    """Write ``api/`` anew; a page whose text is the same keeps its time, and is not read again."""
    folder = Path(app.srcdir) / "api"
    pages = {}
    listed, beside = rooms(), public_modules("jaxlab")
    pages["index.rst"] = heading("API") + toctree(
        [f"{room}/index" for room in listed] + [name.removeprefix("jaxlab.") for name in beside]
    )
    for name in beside:
        pages[f"{name.removeprefix('jaxlab.')}.rst"] = page(name)
    for room in listed:
        package = f"jaxlab.{room}"
        modules = public_modules(package)
        pages[f"{room}/index.rst"] = (
            heading(room)
            + f".. automodule:: {package}\n\n"
            + table(package, modules)
            + toctree([module.removeprefix(f"{package}.") for module in modules], hidden=True)
        )
        for module in modules:
            pages[f"{room}/{module.removeprefix(package + '.')}.rst"] = page(module)
    for old in folder.rglob("*.rst"):
        if str(old.relative_to(folder)) not in pages:
            old.unlink()
    for name, text in pages.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def page(module: str) -> str:
    """A page on one module: its docstring, then its public names in their order in the file."""
    title = module.removeprefix("jaxlab.").split(".", 1)[-1]
    return heading(title) + f".. automodule:: {module}\n   :members:\n"


def table(package: str, modules: list[str]) -> str:
    """What each file of a room is for."""
    if not modules:
        return ""
    rows = "".join(f"   * - :mod:`~{module}`\n     - {first_line(module)}\n" for module in modules)
    return f".. list-table::\n   :widths: 25 75\n\n{rows}\n"


def toctree(entries: list[str], *, hidden: bool = False) -> str:
    """A table of contents."""
    option = "   :hidden:\n" if hidden else "   :maxdepth: 1\n"
    return ".. toctree::\n" + option + "\n" + "".join(f"   {entry}\n" for entry in entries)


def skip_fields(
    app: Sphinx, what: str, name: str, value: Any, skip: bool, options: Any
) -> bool | None:
    """Leave out fields, which their class's docstring describes, and functions they default to."""
    field = type(value).__name__ == "_tuplegetter"
    default = what == "class" and inspect.isfunction(value) and "." not in value.__qualname__
    return True if field or default else None


def shorten_types(
    app: Sphinx, what: str, name: str, value: Any, options: Any, lines: list[str]
) -> None:
    """Show types of attributes as they stand in the source."""
    for number, line in enumerate(lines):
        label, found, shown = line.partition(":type: ")
        if found:
            shown = re.sub(r"jaxtyping\.|jaxlib\._jax\.", "", shown)
            lines[number] = f"{label}{found}``{shown}``"


def resolve(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.reference | None:
    """Link a short or re-exported name to where it is documented."""
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"].lstrip(".~")
    name, room = target.rsplit(".", 1)[-1], room_of(target) or room_of(node.get("py:module") or "")
    domain = env.get_domain("py")
    found = [
        (full, entry)
        for full, entry in domain.objects.items()  # type: ignore[attr-defined]
        if full == target or full.endswith(f".{name}")
    ]
    near = [(full, entry) for full, entry in found if room_of(full) == room] or found
    if not near:
        return None
    full, entry = min(near, key=lambda pair: (len(pair[0]), pair[0]))
    return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, content, full)


def room_of(name: str) -> str:
    """The room in a qualified name, or nothing."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and parts[0] == "jaxlab" else ""


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("builder-inited", write_pages)
    app.connect("autodoc-skip-member", skip_fields)
    app.connect("autodoc-process-docstring", shorten_types)
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
