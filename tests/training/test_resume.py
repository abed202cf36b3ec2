"""Real processes, really killed: what is left on disk must be enough."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from jaxlab.training import checkpoint_path, checkpoint_steps, read_history, restore_checkpoint
from tests.training.problem import assert_same, train
from tests.training.worker import KILL_STEPS, big_state

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT = 240


def start(*arguments, **environment):
    command = [sys.executable, "-m", "tests.training.worker", *map(str, arguments)]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until(condition, process):
    limit = time.monotonic() + TIMEOUT
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < limit, "nothing happened"
        time.sleep(0.002)


def test_killed_at_any_step_it_ends_with_the_same_bits(tmp_path):
    whole = train(tmp_path / "whole", num_steps=KILL_STEPS)
    killed = tmp_path / "killed"
    # one kill before the first checkpoint, which is after step 3, and two at random later
    chosen = random.Random(0)
    kills = [chosen.randrange(3), *sorted(chosen.sample(range(4, KILL_STEPS), 2))]
    for at in kills:
        process = start("killed", killed, at)
        _, errors = process.communicate(timeout=TIMEOUT)
        assert process.returncode == -signal.SIGKILL, errors
        assert checkpoint_steps(killed / "checkpoints") == [
            step for step in range(3, at + 1, 3) if step > at - 9
        ]
    result = train(killed, num_steps=KILL_STEPS)
    assert_same(result.state, whole.state)
    assert result.history == whole.history
    lines = [path / "metrics.jsonl" for path in (killed, tmp_path / "whole")]
    assert lines[0].read_text() == lines[1].read_text()


def test_killed_while_it_writes_the_newest_checkpoint_stays_readable(tmp_path):
    def survivor():
        restored = restore_checkpoint(tmp_path, big_state(0))
        assert restored.skipped == ()
        step = checkpoint_steps(tmp_path)[-1]
        assert_same(restored.state, big_state(step))
        return step

    # killed by the system half-way through the file with the arrays
    process = start("saving", tmp_path, 4_000_000)
    _, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == -signal.SIGXFSZ, errors
    assert any(file.stat().st_size for file in tmp_path.glob(".writing-*/**/d/*"))
    assert survivor() == 1

    # killed at any time while it does nothing but save
    newest = 1
    for delay in (0.0, 0.15):
        process = start("saving", tmp_path, 0)
        try:
            wait_until(lambda before=newest: checkpoint_steps(tmp_path)[-1] > before, process)
            time.sleep(delay)
        finally:
            process.kill()
            process.communicate()
        assert survivor() > newest
        newest = survivor()


def test_ctrl_c_saves_and_says_how_to_resume(tmp_path):
    process = start("interrupted", tmp_path)
    wait_until(lambda: len(read_history(tmp_path / "metrics.jsonl")) >= 2, process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode > 0
    assert "TrainingInterrupted" in errors
    (done,) = checkpoint_steps(tmp_path / "checkpoints")[-1:]
    assert 4 <= done < 400
    assert f"stopped by SIGINT after step {done} of 400; the state is saved in" in errors
    assert f"To resume, start the same run again: it goes on from step {done}." in errors

    resumed = train(tmp_path, num_steps=done + 5)
    whole = train(tmp_path / "whole", num_steps=done + 5)
    assert_same(resumed.state, whole.state)
    assert resumed.history == whole.history
    assert checkpoint_path(tmp_path / "checkpoints", done + 5).exists()
