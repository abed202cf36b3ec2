import errno
import json
import os
import re
import shutil
import tomllib
from pathlib import Path

import pytest

from jaxlab.runner import UsageError, run, store
from jaxlab.runner.settings import validate

NAME = "toy-room-growth"


def results_of(outcome):
    return json.loads((outcome.path / "results.json").read_text())


def computed(outcome):
    return (outcome.path / "computed.txt").read_text().split()


def snapshot(folder):
    return {path: path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def test_a_run_leaves_everything_behind(toy):
    outcome = run(NAME, sets=["seed=3 data.fraction=0.25"], **toy)
    assert outcome.results.status == "finished"
    assert re.fullmatch(
        rf"runs/{NAME}/default-\d{{8}}-\d{{6}}", str(outcome.path.relative_to(toy["runs"].parent))
    )
    files = {str(path.relative_to(outcome.path)) for path in snapshot(outcome.path)}
    assert files == {
        "computed.txt",
        "config.toml",
        "environment.json",
        "figures/curve.png",
        "metrics.jsonl",
        "report.md",
        "results.json",
        "timings.json",
    }
    lines = [json.loads(line) for line in (outcome.path / "metrics.jsonl").read_text().splitlines()]
    assert [line["key"] for line in lines] == [f"index={i}" for i in range(6)]
    assert all(line["seconds"] >= 0 for line in lines)
    results = results_of(outcome)
    assert (results["experiment"], results["preset"], results["error"]) == (NAME, "default", None)
    assert results["scalars"]["last"] == lines[-1]["value"]["value"]
    assert [claim["holds"] for claim in results["claims"]] == [True, False, None]
    assert list(results["tables"]) == ["values"]  # the timed one is kept apart
    timings = json.loads((outcome.path / "timings.json").read_text())
    assert set(timings["timings"]) == {"clock"}
    assert set(timings["tables"]) == {"speed"}
    assert (outcome.path / "figures" / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_the_config_in_the_directory_is_complete_and_loads(toy):
    from toy_room.growth import Config

    outcome = run(NAME, preset="smoke", sets=["data.name=fashion_mnist rates=[.25]"], **toy)
    made = validate(Config, tomllib.loads((outcome.path / "config.toml").read_text()), "again")
    assert (made.cells, made.data.name, made.rates, made.seed) == (2, "fashion_mnist", (0.25,), 0)


def test_two_runs_of_one_config_give_identical_results(toy):
    one, two = run(NAME, **toy), run(NAME, **toy)
    assert one.path != two.path
    for file in ("results.json", "config.toml", "figures/curve.png"):
        assert (one.path / file).read_bytes() == (two.path / file).read_bytes(), file
    assert (one.path / "timings.json").read_bytes() != (two.path / "timings.json").read_bytes()
    other = run(NAME, sets=["seed=1"], **toy)
    assert results_of(other)["scalars"] != results_of(one)["scalars"]


def test_the_environment_names_versions_and_no_paths(toy):
    import jax

    outcome = run(NAME, preset="smoke", sets=["seed=7"], **toy)
    text = (outcome.path / "environment.json").read_text()
    environment = json.loads(text)
    assert environment["packages"]["jax"] == jax.__version__
    assert environment["device"]["platform"] == jax.default_backend()
    assert environment["device"]["count"] == jax.device_count()
    assert environment["seed"] == 7
    assert environment["git"] is None or re.fullmatch(
        r"[0-9a-f]{40}", environment["git"]["revision"]
    )
    assert not re.search(r'"/|\\\\|[A-Z]:\\', text)
    assert os.uname().nodename not in text.replace(environment["processor"], "")


def test_a_failure_is_recorded_and_resumable(toy):
    before = run(NAME, **toy)
    untouched = snapshot(before.path)
    outcome = run(NAME, sets=["fail_at=4"], **toy)
    results = results_of(outcome)
    assert results["status"] == "failed"
    assert results["error"] == "RuntimeError: the experiment broke\nin two lines"
    report = (outcome.path / "report.md").read_text()
    assert report.index("**This run failed.") < report.index("## The paper's claims")
    assert "> RuntimeError: the experiment broke\n> in two lines\n" in report
    assert f"--resume {outcome.path.relative_to(toy['runs'].parent)}" in report
    assert "RuntimeError" in (outcome.path / "traceback.txt").read_text()
    assert snapshot(before.path) == untouched
    again = run(NAME, resume=outcome.path.name, **toy)  # it fails again, but only at cell 4
    assert again.results.status == "failed"
    assert computed(again) == ["0", "1", "2", "3", "4", "4"]


@pytest.mark.parametrize(
    ("error", "status"),
    [(RuntimeError("no device answers"), "failed"), (KeyboardInterrupt(), "interrupted")],
)
def test_an_end_before_the_devices_are_known_is_an_outcome_too(toy, monkeypatch, error, status):
    def unavailable(seed):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr("jaxlab.runner.execute.describe_environment", unavailable)
        outcome = run(NAME, **toy)
    assert results_of(outcome)["status"] == status
    assert (
        f"**This run {'was ' * (status == 'interrupted')}{status}."
        in (outcome.path / "report.md").read_text()
    )
    assert run(NAME, resume="latest", **toy).results.status == "finished"


def test_resuming_computes_only_what_is_missing(toy, monkeypatch):
    whole = run(NAME, **toy)
    broken = run(NAME, **toy)
    lines = (broken.path / "metrics.jsonl").read_bytes().splitlines(keepends=True)
    (broken.path / "metrics.jsonl").write_bytes(b"".join(lines[:3]) + lines[3][:20])
    results = results_of(broken) | {"status": "unfinished"}
    store.write_json(broken.path / "results.json", results)
    (broken.path / "computed.txt").unlink()
    resumed = run(NAME, resume="latest", **toy)
    assert resumed.path == broken.path
    assert computed(resumed) == ["3", "4", "5"]
    assert (resumed.path / "results.json").read_bytes() == (
        whole.path / "results.json"
    ).read_bytes()
    environment = json.loads((resumed.path / "environment.json").read_text())
    assert len(environment["earlier_sessions"]) == 1
    assert "Resumed 1 time." in (resumed.path / "report.md").read_text()


def test_resume_refuses_another_config(toy):
    outcome = run(NAME, sets=["fail_at=2 seed=5"], **toy)
    untouched = snapshot(outcome.path)
    with pytest.raises(UsageError, match=r"other values of fail_at, seed;"):
        run(NAME, resume="latest", preset="default", **toy)
    with pytest.raises(UsageError, match=r"other values of data\.name"):
        run(NAME, resume="latest", sets=["fail_at=2 seed=5 data.name=fashion_mnist"], **toy)
    with pytest.raises(UsageError, match="no unfinished run of preset smoke"):
        run(NAME, resume="latest", preset="smoke", **toy)
    with pytest.raises(UsageError, match="begun with preset default"):
        run(NAME, resume=str(outcome.path), preset="smoke", **toy)
    assert snapshot(outcome.path) == untouched
    same = run(NAME, resume="latest", preset="default", sets=["seed=5", "fail_at=2"], **toy)
    assert same.path == outcome.path


def test_latest_is_the_run_whose_last_session_began_last(toy):
    first, second = (run(NAME, sets=["fail_at=2"], **toy) for _ in range(2))
    assert run(NAME, resume="latest", **toy).path == second.path
    assert run(NAME, resume=first.path.name, **toy).path == first.path
    assert run(NAME, resume="latest", **toy).path == first.path


def test_the_time_of_a_resumed_run_includes_cells_of_earlier_sessions(toy):
    outcome = run(NAME, sets=["fail_at=2"], **toy)
    lines = (outcome.path / "metrics.jsonl").read_text().splitlines()
    cells = [json.loads(line) | {"seconds": 1000.0} for line in lines]
    (outcome.path / "metrics.jsonl").write_text("".join(f"{json.dumps(cell)}\n" for cell in cells))
    resumed = run(NAME, resume="latest", **toy)
    assert 2000 <= resumed.seconds < 2100
    assert json.loads((resumed.path / "timings.json").read_text())["seconds"] == resumed.seconds


@pytest.mark.parametrize("broken", ["{", "[]", '{"status": "failed"}'])
def test_latest_passes_over_what_cannot_be_read(toy, broken):
    first = run(NAME, sets=["fail_at=2"], **toy)
    other = run(NAME, preset="smoke", **toy)
    (other.path / "results.json").write_text(broken)
    assert run(NAME, resume="latest", **toy).path == first.path
    with pytest.raises(UsageError, match=r"results\.json cannot be read"):
        run(NAME, resume=str(other.path), **toy)


@pytest.mark.parametrize("content", [None, "seed = ", b"\xff"])
def test_resume_refuses_a_config_that_cannot_be_read(toy, content):
    outcome = run(NAME, sets=["fail_at=2"], **toy)
    config = outcome.path / "config.toml"
    if content is None:
        config.unlink()
    else:
        config.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UsageError, match=r"config\.toml cannot be read"):
        run(NAME, resume="latest", **toy)


def test_resume_refuses_a_directory_that_cannot_be_written(toy):
    outcome = run(NAME, sets=["fail_at=2"], **toy)
    metrics = outcome.path / "metrics.jsonl"
    metrics.unlink()
    metrics.mkdir()  # permissions would not keep root out
    untouched = snapshot(outcome.path)
    where = re.escape(str(outcome.path))
    with pytest.raises(UsageError, match=rf"cannot write to {where}: Is a directory"):
        run(NAME, resume="latest", **toy)
    assert snapshot(outcome.path) == untouched


def test_an_earlier_session_need_not_say_where_it_was(toy):
    outcome = run(NAME, sets=["fail_at=2"], **toy)
    store.write_json(outcome.path / "environment.json", {"started": "2022-07-17T09:30:00"})
    run(NAME, resume="latest", **toy)
    report = (outcome.path / "report.md").read_text()
    assert "Resumed 1 time; device and packages and git changed in between." in report


def test_resume_refuses_what_is_not_there_or_done(toy):
    with pytest.raises(UsageError, match="no unfinished run under"):
        run(NAME, resume="latest", **toy)
    with pytest.raises(UsageError, match="no run directory at nowhere"):
        run(NAME, resume="nowhere", **toy)
    outcome = run(NAME, preset="smoke", **toy)
    with pytest.raises(UsageError, match="is finished; there is nothing to resume"):
        run(NAME, resume=str(outcome.path), **toy)
    other = toy["runs"] / "other" / "x"
    shutil.copytree(outcome.path, other)
    store.write_json(other / "results.json", results_of(outcome) | {"experiment": "other"})
    with pytest.raises(UsageError, match="is a run of other, not of"):
        run(NAME, resume=str(other), **toy)


def test_a_refused_request_writes_nothing(toy):
    for sets in (["cells=0"], ["cels=1"], ["data=5"]):
        with pytest.raises(UsageError):
            run(NAME, sets=sets, **toy)
    assert not toy["runs"].exists()


@pytest.mark.parametrize("full_after", [0, 1, 2, 4, 7, 10, 11, 12, 13, 14])  # of 15 writes
def test_a_full_disk_leaves_earlier_runs_untouched(toy, monkeypatch, full_after):
    earlier = run(NAME, preset="smoke", **toy)
    untouched = snapshot(toy["runs"])
    real, calls = os.fsync, []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) > full_after:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    if full_after < 2:
        with pytest.raises(UsageError, match=r"cannot make a run directory in .*No space left"):
            run(NAME, **toy)
        assert os.listdir(toy["runs"] / NAME) == [earlier.path.name]
    else:
        outcome = run(NAME, **toy)
        assert len(calls) > full_after, "the disk never filled"
        assert outcome.results.status == "failed"
        assert outcome.results.error.startswith("the disk is full (No space left on device)")
        assert results_of(outcome)["status"] in ("unfinished", "failed")
        assert not list(outcome.path.rglob(".*"))
        monkeypatch.setattr(os, "fsync", real)
        assert run(NAME, resume="latest", **toy).results.status == "finished"
    assert {
        path: data for path, data in snapshot(toy["runs"]).items() if path in untouched
    } == untouched


def test_an_unwritable_place_is_refused_in_one_line(toy, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"cannot make a run directory in .*: Not a directory"):
        run(NAME, **(toy | {"runs": tmp_path / "file"}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it defines no Config"),
        ("Config = 1\nCLAIMS = ()", "it defines no run"),
        (
            "from toy_room.growth import *\nfrom toy_room import growth\n"
            "CLAIMS = growth.CLAIMS * 2\nConfig, run = growth.Config, growth.run",
            "two claims have the same id",
        ),
    ],
)
def test_a_module_that_is_no_experiment_is_refused(toy, tmp_path, monkeypatch, text, message):
    monkeypatch.syspath_prepend(str(tmp_path))
    module = f"shape_{abs(hash(message))}"
    (tmp_path / f"{module}.py").write_text(text)
    (tmp_path / "odd.toml").write_text(f'module = "{module}"\nsummary = "s"\n[default]\n')
    with pytest.raises(UsageError, match=message):
        run("odd", configs=tmp_path, runs=tmp_path / "runs")


def test_a_missing_module_is_told_from_a_missing_dependency(toy, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "a.toml").write_text('module = "not.there"\nsummary = "s"\n[default]\n')
    with pytest.raises(UsageError, match=r"no module 'not\.there'; it must be installed"):
        run("a", configs=tmp_path)
    (tmp_path / "needs_it.py").write_text("import certainly_not_installed")
    (tmp_path / "b.toml").write_text('module = "needs_it"\nsummary = "s"\n[default]\n')
    with pytest.raises(ModuleNotFoundError, match="certainly_not_installed"):
        run("b", configs=tmp_path)
