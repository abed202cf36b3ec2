"""The command ``jaxlab``: list, show, run, report.

Exit codes: 0 done, 1 the run failed, 2 the request was refused, 130 Ctrl-C.
"""

import sys
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer

import jaxlab
from jaxlab.runner.registry import UsageError, all_entries, configs_folder, find_entry
from jaxlab.runner.shell import program, relative

__all__ = ["app", "main"]

app = typer.Typer(
    help="Run jaxlab's experiments and compare them with their papers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Name = Annotated[str, typer.Argument(help="The experiment, as `jaxlab list` names it.")]
Configs = Annotated[
    Path | None, typer.Option(help="Folder of TOML files to use in place of jaxlab's own.")
]
Runs = Annotated[Path, typer.Option(help="Where run directories are.")]

_COLOURS = {True: "green", False: "red", None: "yellow"}


def main() -> None:
    """Entry point: refusals become one clear message and exit code 2."""
    try:
        app()
    except UsageError as refusal:
        typer.echo(f"jaxlab: {refusal}", err=True)
        sys.exit(2)


def _version(asked: bool) -> bool:
    if asked:
        typer.echo(f"jaxlab {jaxlab.__version__}")
        raise typer.Exit
    return asked


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Run jaxlab's experiments and compare them with their papers."""


@app.command("list")
def list_(configs: Configs = None) -> None:
    """The experiments, one line each."""
    entries = all_entries(configs_folder(configs))
    width = max((len(entry.name) for entry in entries), default=0)
    for room, members in groupby(entries, key=lambda entry: entry.room):
        typer.echo(typer.style(room, bold=True))
        for entry in members:
            typer.echo(f"  {entry.name:<{width}}  {entry.summary}")
    jaxlab_ = " ".join(program())
    typer.echo(f"\n{jaxlab_} show NAME says what an experiment claims; {jaxlab_} run NAME runs it.")


@app.command()
def show(name: Name, configs: Configs = None) -> None:
    """An experiment's claims, and its config in every preset."""
    from jaxlab.runner.request import resolve
    from jaxlab.runner.settings import differences, dump_toml

    entry = find_entry(name, configs_folder(configs))
    default = resolve(name, "default", configs=configs)
    typer.echo(f"{typer.style(name, bold=True)}: {entry.summary}\nmodule: {entry.module}\n")
    for claim in default.experiment.CLAIMS:
        typer.echo(f"{typer.style(claim.id, bold=True)}: {claim.statement} ({claim.source})")
        typer.echo(f"  paper: {claim.paper}\n  holds when: {claim.criterion}")
    for preset in entry.presets:
        values = resolve(name, preset, configs=configs).values
        changed = differences(default.values, values)
        note = f"  # differs from default in: {', '.join(changed)}" if changed else ""
        typer.echo(f"\n{typer.style(f'preset {preset}', bold=True)}{note}\n{dump_toml(values)}")


@app.command()
def run(
    name: Name,
    preset: Annotated[
        str | None, typer.Option(help="smoke, default or paper. [default: default]")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help='Values over the preset: "seeds=5 data.name=digits".'),
    ] = None,
    runs_dir: Runs = Path("runs"),
    resume: Annotated[
        str | None, typer.Option(help="Go on with a run directory, or with the latest.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the config and print it; run nothing.")
    ] = False,
    configs: Configs = None,
) -> None:
    """Run an experiment."""
    from jaxlab.runner.execute import run as execute
    from jaxlab.runner.report import duration, holds_word
    from jaxlab.runner.request import resolve, resolve_resumed
    from jaxlab.runner.settings import dump_toml
    from jaxlab.runner.store import find_resumable

    sets = set_ or []
    if dry_run:
        if resume is None:
            request = resolve(name, preset or "default", sets, configs)
        else:
            path = find_resumable(runs_dir, name, resume, preset)
            request = resolve_resumed(path, name, preset, sets, configs)
        typer.echo(f"# {name}, preset {request.preset}\n{dump_toml(request.values)}", nl=False)
        return
    outcome = execute(
        name,
        preset=preset,
        sets=sets,
        configs=configs,
        runs=runs_dir,
        resume=resume,
        announce=typer.echo,
    )
    results = outcome.results
    if results.status == "finished":
        for claim in results.judged_claims():
            word = typer.style(f"{holds_word(claim['holds']):<13}", fg=_COLOURS[claim["holds"]])
            typer.echo(f"{word}  {claim['statement']} ({claim['source']})")
            typer.echo(
                f"{'':15}paper: {claim['paper']}\n{'':15}ours:  {claim['ours'] or 'not measured'}"
            )
        typer.echo(f"{duration(outcome.seconds)} · {relative(outcome.path / 'report.md')}")
    elif results.status == "interrupted":
        typer.echo(f"\ninterrupted; go on with:\n  {outcome.resume}", err=True)
        raise typer.Exit(130)
    else:
        trace = outcome.path / "traceback.txt"
        where = f"\ntraceback: {relative(trace)}" if trace.exists() else ""
        typer.echo(f"jaxlab: {name} failed: {results.error}{where}", err=True)
        typer.echo(f"finished cells are kept; go on with:\n  {outcome.resume}", err=True)
        raise typer.Exit(1)


@app.command()
def report(runs_dir: Runs = Path("runs"), configs: Configs = None) -> None:
    """The scoreboard: every claim in the newest finished run of its experiment."""
    from jaxlab.runner.scoreboard import write_scoreboard

    board = write_scoreboard(runs_dir, configs_folder(configs))
    for warning in board.warnings:
        typer.echo(f"jaxlab: {warning}", err=True)
    typer.echo(board.headline)
    typer.echo(f"{relative(board.markdown)}\n{relative(board.html)}")
