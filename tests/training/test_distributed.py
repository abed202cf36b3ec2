"""Two hosts, here two processes with two devices each, joined over gloo on loopback."""

import contextlib
import json
import socket

import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.training import (
    checkpoint_path,
    checkpoint_steps,
    epoch_batches,
    fit,
    make_train_step,
    save_checkpoint,
)
from tests.training.problem import OPTIMIZERS, data, initial_state, loss_fn
from tests.training.test_resume import TIMEOUT, start


def free_port():
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def both(role, directory):
    """What two processes of one role print, and that neither failed."""
    port = free_port()
    flags = {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    processes = [start(role, directory, port, number, **flags) for number in (0, 1)]
    try:
        outputs = [process.communicate(timeout=TIMEOUT) for process in processes]
    finally:
        for process in processes:
            process.kill()
    for process, (_, errors) in zip(processes, outputs, strict=True):
        assert process.returncode == 0, errors
    return outputs


def test_two_processes_train_like_one(tmp_path):
    outputs = both("distributed", tmp_path)

    # process 1 was told to stop during step 3; both agreed on it at step 4, the next logged one
    assert "stopped by a signal to another process after step 4 of 8" in outputs[0][0]
    assert "stopped by SIGINT after step 4 of 8" in outputs[1][0]
    assert "stopped by a signal to another process after step 9 of 9" in outputs[0][0]
    assert "stopped by SIGINT after step 9 of 9" in outputs[1][0]
    assert checkpoint_steps(tmp_path / "checkpoints") == [4, 8, 9]

    optimizer = OPTIMIZERS["adam"]
    one = fit(
        initial_state(optimizer),
        jax.jit(make_train_step(loss_fn, optimizer), donate_argnums=0),
        epoch_batches(data(), 16, seed=2),
        num_steps=8,
        log_every=2,
    )
    expected = {**one.state.model_state, "params": one.state.params["out"]}
    for number in (0, 1):
        with np.load(tmp_path / f"{number}.npz") as actual:
            assert set(actual) == set(expected)
            for name in expected:
                np.testing.assert_allclose(actual[name], expected[name], rtol=1e-5, atol=1e-5)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 4, 6, 8, 9]
    np.testing.assert_allclose(
        [line["loss"] for line in lines[:4]], [record["loss"] for record in one.history], rtol=1e-5
    )


def test_processes_that_would_go_on_from_different_steps_are_all_stopped(tmp_path):
    state = initial_state()
    saved = {"same": ((1, 2), (1, 2)), "older": ((1, 2), (1,)), "damaged": ((), (1,))}
    for case, of_process in saved.items():
        for process, steps in enumerate(of_process):
            for step in steps:
                save_checkpoint(tmp_path / case / str(process), state.replace(step=jnp.int32(step)))
    (checkpoint_path(tmp_path / "damaged" / "1", 1) / "leaves.json").write_text("{}")
    start = "the processes found different newest checkpoints: process 0: "
    for output, _ in both("restoring", tmp_path):
        lines = [line for line in output.splitlines() if not line.startswith("[Gloo]")]
        assert lines == [
            "same 2",
            f"older {start}step 2, process 1: step 1",
            f"damaged {start}no checkpoint, process 1: no readable one",
        ]
