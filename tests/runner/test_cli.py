import re
import shlex
import tomllib

import pytest
from typer.testing import CliRunner

from jaxlab.runner.cli import app, main
from jaxlab.runner.shell import program

NAME = "toy-room-growth"


@pytest.fixture
def jaxlab(toy, monkeypatch, capsys):
    """Call the command with arguments; gives exit code, standard output and standard error."""

    def call(*arguments):
        where = ["--configs", str(toy["configs"])]
        monkeypatch.setattr("sys.argv", ["jaxlab", *arguments, *where])
        with pytest.raises(SystemExit) as ended:
            main()
        output = capsys.readouterr()
        return ended.value.code or 0, output.out, output.err

    return call


def test_list_groups_by_room(jaxlab):
    code, output, _ = jaxlab("list")
    assert code == 0
    assert output.splitlines()[:2] == [
        "toy_room",
        f"  {NAME}  A value grows with its index.",
    ]


def test_show_tells_claims_and_presets(jaxlab):
    code, output, _ = jaxlab("show", NAME)
    assert code == 0
    assert "grows: The value grows with the index (Figure 1)" in output
    assert "preset paper  # differs from default in: cells, data.name" in output
    assert "module: toy_room.growth" in output


def test_dry_run_prints_a_config_and_runs_nothing(jaxlab, toy):
    code, output, _ = jaxlab("run", NAME, "--preset", "smoke", "--set", "seed=4", "--dry-run")
    assert code == 0
    values = tomllib.loads(output)
    assert (values["cells"], values["seed"], values["data"]["name"]) == (2, 4, "digits")
    assert not toy["runs"].exists()


def test_run_ends_with_verdicts_and_the_report(jaxlab):
    code, output, _ = jaxlab("run", NAME, "--set", "cells=3", "--set", "seed=1")
    assert code == 0
    lines = output.splitlines()
    assert "holds          The value grows with the index (Figure 1)" in lines
    assert "does not hold  The value | doubles <everywhere> (Section 2)" in lines
    assert "               ours:  not measured" in lines


@pytest.mark.parametrize(
    "assignments",
    ['data={name="digits",fraction=0.25} rates=[.5]', "data.name=fashion_mnist cells=3 seed=4"],
)
def test_the_command_in_a_report_asks_for_the_same_run(jaxlab, toy, assignments):
    jaxlab("run", NAME, "--preset", "smoke", "--set", assignments)
    (path,) = (toy["runs"] / NAME).iterdir()
    (command,) = re.findall(r"```sh\n(.*)\n```", (path / "report.md").read_text())
    words = shlex.split(command)
    assert words[0].rpartition("/")[2] == "jaxlab"
    code, output, errors = jaxlab(*words[1 : words.index("--configs")], "--dry-run")
    assert code == 0, errors
    assert tomllib.loads(output) == tomllib.loads((path / "config.toml").read_text())


def test_a_printed_command_names_the_program_as_it_was_called(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "on_path"))
    for place in ("on_path", ".venv/bin"):
        called = tmp_path / place / "jaxlab"
        called.parent.mkdir(parents=True)
        called.touch(mode=0o755)
        monkeypatch.setattr("sys.argv", [str(called)])
        assert program() == (["jaxlab"] if place == "on_path" else [".venv/bin/jaxlab"])
    monkeypatch.setattr("sys.argv", ["pytest"])
    assert program() == ["python", "-m", "jaxlab.runner"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "toy-room-grwoth"), "did you mean 'toy-room-growth'?"),
        (("run", NAME, "--preset", "papre"), "did you mean 'paper'?"),
        (("run", NAME, "--set", "cell=3"), "cell = 3: unknown key; did you mean 'cells'?"),
        (("run", NAME, "--set", "cells"), "--set: expected key=value, got 'cells'"),
        (("run", NAME, "--resume", "latest"), "no unfinished run"),
        (("run", NAME, "--dry-run", "--resume", "x"), "no run directory at x"),
        (("show", "nothing"), "unknown experiment 'nothing'"),
        (("run", NAME, "--pre", "smoke"), "No such option"),
        (("report", "--runs-dir", __file__), f"cannot write a scoreboard in {__file__}"),
        (("walk",), "No such command"),
    ],
)
def test_refusals_have_exit_code_2(jaxlab, toy, arguments, message):
    code, _, errors = jaxlab(*arguments)
    assert code == 2
    assert message in errors
    assert not toy["runs"].exists()


def test_failure_has_exit_code_1_and_keeps_its_lines(jaxlab):
    code, _, errors = jaxlab("run", NAME, "--set", "fail_at=1")
    assert code == 1
    assert "failed: RuntimeError: the experiment broke\nin two lines\ntraceback: runs/" in errors
    assert f"jaxlab run {NAME} --resume runs/{NAME}/default-" in errors.replace(".venv/bin/", "")


def test_report_says_where_it_is(jaxlab):
    jaxlab("run", NAME)
    code, output, _ = jaxlab("report")
    assert code == 0
    assert output.splitlines() == [
        "1 of 3 claims holds, 1 does not, 1 is not decided.",
        "runs/scoreboard.md",
        "runs/scoreboard.html",
    ]


def test_ctrl_c_in_the_experiment_is_exit_code_130(jaxlab, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    import toy_room.growth

    monkeypatch.setattr(toy_room.growth, "run", interrupted)
    code, _, errors = jaxlab("run", NAME)
    assert code == 130
    assert "interrupted; go on with:" in errors


def test_version_and_help():
    result = CliRunner().invoke(app, ["--version"])
    assert result.output.startswith("jaxlab 0.")
    assert CliRunner().invoke(app, ["run", "--help"]).exit_code == 0
