"""What README.md and CONTRIBUTING.md tell a reader to type is tested as written.

Commands are checked without doing their work: ``make -n``, and ``jaxlab run --dry-run``. A command
whose experiment is called ``NAME`` stands for every experiment and is checked with one of them.
"""

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jaxlab.runner.cli import app
from jaxlab.runner.registry import all_entries, configs_folder
from tests.entry_points import rooms

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("README.md", "CONTRIBUTING.md")
SHELLS = ("console", "sh", "bash", "shell")


def blocks(page, languages):
    """The fenced blocks of a page in one of ``languages``, with their line numbers."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for match in re.finditer(r"^```(\w+)[^\n]*\n(.*?)^```", text, flags=re.M | re.S):
        if match[1] in languages:
            yield text[: match.start()].count("\n") + 2, match[2]


def inline(page):
    """Every command that stands within a sentence of a page, with its line number."""
    text = (ROOT / page).read_text(encoding="utf-8")
    text = re.sub(
        r"^```.*?^```", lambda block: "\n" * block[0].count("\n"), text, flags=re.M | re.S
    )
    for match in re.finditer(r"`((?:make|bash|jaxlab|\.venv/bin/\w+) [^`]+)`", text):
        yield text[: match.start()].count("\n") + 1, " ".join(match[1].split())


def commands(page):
    """Every command line of a page's shell blocks, and those in its sentences, split into words."""
    for line, block in blocks(page, SHELLS):
        lines = block.replace("\\\n", " ").splitlines()
        if any(text.startswith("$ ") for text in lines):  # the others show what is printed
            lines = [text[2:] for text in lines if text.startswith("$ ")]
        for text in lines:
            if words := shlex.split(text, comments=True):
                yield pytest.param(words, id=f"{page}:{line}:{shlex.join(words)}")
    for line, text in inline(page):
        words = shlex.split(text)
        yield pytest.param(words, id=f"{page}:{line}:{shlex.join(words)}")


ALL = [command for page in PAGES for command in commands(page)]
MAKE = [command for command in ALL if command.values[0][0] == "make"]
JAXLAB = [command for command in ALL if command.values[0][0].rpartition("/")[2] == "jaxlab"]
OTHER = [command for command in ALL if command not in MAKE and command not in JAXLAB]


def make(*arguments):
    """``make``, the same whether or not the tests were themselves started by make."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    environment.pop("MFLAGS", None)
    return subprocess.run(
        ["make", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def stand_in(name):
    return all_entries(configs_folder())[0].name if name == "NAME" else name


def check_jaxlab(arguments, folder):
    """Let the command line check ``arguments`` without doing the work."""
    arguments = [stand_in(word) for word in arguments]
    if arguments[0] == "run":
        arguments = [*arguments, "--dry-run"]
    if arguments[0] == "report":
        arguments = [*arguments, "--runs-dir", str(folder)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, f"{result.output}\n{result.exception!r}"


def test_the_pages_show_the_two_commands_first():
    first, second = [command.values[0] for command in MAKE[:2]]
    assert first[:3] == ["make", "experiment", "NAME=hopfield-similarity-capacity"]
    assert second == ["make", "test"]


@pytest.mark.parametrize("words", MAKE)
def test_make_commands_exist(words, tmp_path):
    planned = make("-n", *words[1:])
    assert planned.returncode == 0, planned.stderr
    # what make would start is checked further: names, presets and values must be accepted
    recipes = planned.stdout.replace("\\\n", " ").splitlines()
    started = [shlex.split(line) for line in recipes if re.match(r"\S*/jaxlab ", line)]
    assert started or not {"experiment", "list", "report"} & set(words)
    for command in started:
        check_jaxlab(command[1:], tmp_path)


@pytest.mark.parametrize("words", JAXLAB)
def test_jaxlab_commands_are_accepted(words, tmp_path):
    check_jaxlab(words[1:], tmp_path)


@pytest.mark.parametrize("words", OTHER)
def test_other_commands_name_files_that_exist(words):
    subprocess.run(["bash", "-n", "-c", shlex.join(words)], check=True, timeout=60)
    program = words[0].rpartition("/")[2]
    if program == "python" and words[1] == "-m":
        assert importlib.util.find_spec(words[2]) is not None
    elif program in ("bash", "sh", "python", "python3"):
        assert (ROOT / words[1]).exists()


@pytest.mark.parametrize(
    "assignments",
    ["seeds=5 data.name=digits sigma=[0.2, 0.3]", "title='two words'", 'data={name = "digits"}'],
)
def test_set_reaches_the_command_as_one_word(assignments):
    variables = ["NAME=hopfield-similarity-capacity", f"SET={assignments}"]
    lines = make("-n", "experiment", *variables).stdout.replace("\\\n", " ").splitlines()
    words = ["run", "hopfield-similarity-capacity", "--set", assignments]
    assert shlex.split(lines[-1])[1:] == words


@pytest.mark.parametrize(
    ("folder", "python", "stamp"),
    [("VENV", "PYTHON", ".core"), ("REFERENCE", "REFERENCE_PYTHON", ".installed")],
)
@pytest.mark.parametrize(
    "half_made", [None, f'exec {sys.executable} -S "$@"'], ids=["none", "without pip"]
)
def test_an_environment_is_made_where_there_is_none_that_works(
    tmp_path, folder, python, stamp, half_made
):
    scripts = {
        "works": "exit 0",
        "makes": 'for folder; do :; done; echo "$@"; mkdir -p "$folder/bin"\n'
        f'cp {tmp_path}/works "$folder/bin/python"',
    }
    if half_made is not None:
        (tmp_path / "environment" / "bin").mkdir(parents=True)
        scripts["environment/bin/python"] = half_made
    for name, script in scripts.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    target = tmp_path / "environment" / stamp
    variables = [f"{folder}={target.parent}", f"{python}={tmp_path}/makes", str(target)]
    first = make(*variables)
    assert (first.returncode, first.stdout.count("-m venv")) == (0, 1), first.stderr
    target.unlink()
    again = make(*variables)
    assert (again.returncode, again.stdout.count("-m venv")) == (0, 0), again.stderr


def test_python_blocks_run(tmp_path):
    found = list(blocks("README.md", ("python", "py", "pycon")))
    assert found
    # one after the other in a process of its own, as a reader would paste them; no shape checking
    script = ["import doctest"]
    for line, block in found:
        name = f"README.md:{line}"
        run = f"doctest.run_docstring_examples({block!r}, globals(), name={name!r})"
        script.append(run if ">>>" in block else block)
    (tmp_path / "readme.py").write_text("\n".join(script), encoding="utf-8")
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); exec(open('readme.py').read())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "Failed example" not in done.stdout, done.stdout


@pytest.mark.parametrize("page", PAGES)
def test_links_within_the_repository_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    for target in targets:
        if not re.match(r"https?://|mailto:|#", target):
            assert (ROOT / target.partition("#")[0]).exists(), target


@pytest.mark.parametrize("room", [room for room in rooms() if room != "graphs"])
def test_every_method_is_on_record(room):
    """README shows its module, notebook and table of times; CHANGELOG names it."""
    readme, changelog = ((ROOT / page).read_text() for page in ("README.md", "CHANGELOG.md"))
    for path in (f"jaxlab/{room}/__init__.py", f"notebooks/{room}.ipynb"):
        assert f"]({path})" in readme
    assert f"(tests/benchmarks/{room}.md)" in readme
    assert f"`jaxlab.{room}`" in changelog
