import io
import math
import resource
import signal
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.training import (
    CheckpointError,
    TrainingInterrupted,
    checkpoint_path,
    checkpoint_steps,
    create_train_state,
    data_parallel,
    epoch_batches,
    fit,
    make_train_step,
    pmap_replicate,
    read_history,
    replicate,
    shard,
)
from tests.training.problem import (
    OPTIMIZERS,
    assert_same,
    data,
    initial_state,
    noisy_loss_fn,
    train,
)

STEPS = 12
BATCHES = epoch_batches(data(), 10, seed=3)


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The run that nothing ever stopped, and the lines it wrote."""
    directory = tmp_path_factory.mktemp("reference")
    result = train(directory, num_steps=STEPS, evaluate=evaluate, evaluate_every=5)
    return result, (directory / "metrics.jsonl").read_text()


class Metric:
    """A number on the device that says when somebody waits for it."""

    def __init__(self, waited, step):
        self.waited, self.step = waited, step

    def block_until_ready(self):
        self.waited.append(self.step)

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.step, np.float32)


def test_the_host_is_at_most_4_steps_ahead_of_the_device():
    # with many, eight CPU devices that have to agree on every step can lock up for ever
    waited = []

    def step(state, batch):
        done = int(state.step) + 1
        assert max(waited, default=0) == max(done - 5, 0)
        return state.replace(step=jnp.int32(done)), {"loss": Metric(waited, done)}

    fit(initial_state(), step, BATCHES, num_steps=40, log_every=40)
    assert waited == list(range(1, 37))


def test_batches_may_fill_their_buffer_again():
    buffer = {name: np.empty_like(part) for name, part in BATCHES(0).items()}

    def refilled(index):
        for name, part in BATCHES(index).items():
            buffer[name][:] = part
        return buffer

    given = []

    def step(state, batch):
        given.append(batch)
        return state.replace(step=state.step + 1), {"loss": jnp.zeros(())}

    fit(initial_state(), step, refilled, num_steps=3)
    for index, batch in enumerate(given):  # late, as a device may read it
        assert_same(batch, BATCHES(index))


def evaluate(state):
    return {"size": jnp.sum(state.params["out"] ** 2)}


def raising(*numbers, at):
    """The batches, with signals that arrive while the one of step ``at`` is made."""

    def batches(index):
        if index == at:
            for number in numbers:
                signal.raise_signal(number)
        return BATCHES(index)

    return batches


def test_the_loop_is_the_steps_one_after_the_other(reference):
    optimizer = OPTIMIZERS["adam"]
    step = jax.jit(make_train_step(noisy_loss_fn, optimizer))
    state = initial_state(optimizer)
    losses = []
    for index in range(STEPS):
        state, metrics = step(state, BATCHES(index))
        losses.append(float(metrics["loss"]))
    result, _ = reference
    assert_same(result.state, state)
    assert [record["step"] for record in result.history] == [2, 4, 5, 6, 8, 10, 12]
    assert [record["loss"] for record in result.history] == [
        losses[record["step"] - 1] for record in result.history
    ]
    assert [record["step"] for record in result.history if "eval/size" in record] == [5, 10, 12]
    assert result.history[-1]["eval/size"] == float(evaluate(state)["size"])
    assert result.nonfinite_step is None


def test_the_initial_state_is_not_used_up():
    state = initial_state()
    step = jax.jit(make_train_step(noisy_loss_fn, OPTIMIZERS["adam"]), donate_argnums=0)
    first = fit(state, step, BATCHES, num_steps=2)
    assert_same(state, initial_state())
    assert_same(fit(state, step, BATCHES, num_steps=2).state, first.state)
    assert fit(state, step, BATCHES, num_steps=0).history == []


def test_a_finished_run_is_not_run_again(tmp_path, reference):
    train(tmp_path, num_steps=4)

    def no_batches(index):
        pytest.fail("there is nothing left to do")

    stream = io.StringIO()
    again = train(tmp_path, num_steps=4, batches=no_batches, stream=stream)
    assert [record["step"] for record in again.history] == [2, 4]
    assert "resuming after step 4 from" in stream.getvalue()


def test_a_run_stopped_at_any_step_ends_with_the_same_bits(tmp_path, reference):
    expected, lines = reference
    for at in range(STEPS):
        stream = io.StringIO()
        with pytest.raises(TrainingInterrupted) as stopped:
            train(
                tmp_path,
                num_steps=STEPS,
                evaluate=evaluate,
                evaluate_every=5,
                batches=raising(signal.SIGINT, at=at),
                stream=stream,
            )
        # one more step each time: the batch is made, the step is finished, the state is saved
        assert stopped.value.step == at + 1
        assert stopped.value.checkpoint == checkpoint_path(tmp_path / "checkpoints", at + 1)
        assert checkpoint_steps(tmp_path / "checkpoints")[-1] == at + 1
        notice = f"stopped by SIGINT after step {at + 1} of {STEPS}; the state is saved in"
        assert notice in stream.getvalue()
        assert f"To resume, start the same run again: it goes on from step {at + 1}." in str(
            stopped.value
        )
    result = train(tmp_path, num_steps=STEPS, evaluate=evaluate, evaluate_every=5)
    assert_same(result.state, expected.state)
    assert result.history == expected.history
    assert (tmp_path / "metrics.jsonl").read_text() == lines


def test_sigterm_saves_too_and_a_second_ctrl_c_does_not_wait(tmp_path):
    with pytest.raises(TrainingInterrupted, match="stopped by SIGTERM after step 3 of 12"):
        train(tmp_path, num_steps=STEPS, batches=raising(signal.SIGTERM, at=2))
    assert checkpoint_steps(tmp_path / "checkpoints") == [3]
    with pytest.raises(KeyboardInterrupt) as aborted:
        train(tmp_path, num_steps=STEPS, batches=raising(signal.SIGINT, signal.SIGINT, at=4))
    assert not isinstance(aborted.value, TrainingInterrupted)
    assert checkpoint_steps(tmp_path / "checkpoints") == [3]


def test_without_checkpoints_ctrl_c_is_what_it_always_is():
    with pytest.raises(KeyboardInterrupt) as aborted:
        train(None, num_steps=STEPS, batches=raising(signal.SIGINT, at=1))
    assert not isinstance(aborted.value, TrainingInterrupted)


def test_another_thread_can_train(tmp_path, reference):
    results = []
    thread = threading.Thread(target=lambda: results.append(train(tmp_path, num_steps=STEPS)))
    thread.start()
    thread.join()
    assert_same(results[0].state, reference[0].state)


def test_lines_after_the_resumed_step_are_written_once(tmp_path, reference):
    options = {"evaluate": evaluate, "evaluate_every": 5}

    def failing(index):
        if index == 8:
            raise OSError("no more data")
        return BATCHES(index)

    with pytest.raises(OSError, match="no more data"):
        train(tmp_path, num_steps=STEPS, batches=failing, **options)
    path = tmp_path / "metrics.jsonl"
    assert [record["step"] for record in read_history(path)] == [2, 4, 5, 6, 8]
    assert checkpoint_steps(tmp_path / "checkpoints") == [3, 6]
    with path.open("a") as file:
        file.write('{"step": 9, "lo')  # killed while it wrote
    result = train(tmp_path, num_steps=STEPS, **options)
    assert path.read_text() == reference[1]
    assert result.history == reference[0].history


def test_several_devices_resume_bit_for_bit(tmp_path, devices):
    mesh = jax.make_mesh((8,), ("data",), devices=devices)
    optimizer = OPTIMIZERS["adam"]
    train_step = make_train_step(noisy_loss_fn, optimizer, axis_name="data", accumulate=2)
    step = data_parallel(train_step, mesh)
    state = replicate(initial_state(optimizer), mesh)
    batches = epoch_batches(data(), 32, seed=1)

    def placed(index):
        return shard(batches(index), mesh)

    expected = fit(state, step, placed, num_steps=4).state
    fit(state, step, placed, num_steps=3, checkpoint_dir=tmp_path)
    resumed = fit(state, step, placed, num_steps=4, checkpoint_dir=tmp_path).state
    assert_same(resumed, expected)
    assert resumed.params["out"].sharding.is_fully_replicated


def test_a_damaged_newest_checkpoint_is_reported_and_the_one_before_is_used(tmp_path, reference):
    train(tmp_path, num_steps=8)
    newest = checkpoint_path(tmp_path / "checkpoints", 8)
    (newest / "leaves.json").write_text("{")
    stream = io.StringIO()
    result = train(tmp_path, num_steps=STEPS, stream=stream)
    first, second = stream.getvalue().splitlines()[:2]
    assert first.startswith(f"checkpoint {newest} is unreadable: ValueError")
    assert second.startswith("resuming after step 6 from")
    assert_same(result.state, reference[0].state)


def test_what_is_not_finite_is_reported_with_its_step(tmp_path):
    def poisoned(index):
        batch = BATCHES(index)
        return {**batch, "y": batch["y"] * np.float32(np.nan if index == 2 else 1)}

    stream = io.StringIO()
    result = train(tmp_path, num_steps=6, batches=poisoned, stream=stream, log_every=5)
    assert result.nonfinite_step == 3  # between two logged steps
    reports = [line for line in stream.getvalue().splitlines() if "is nan" in line]
    assert reports == ["step 3: absolute is nan, grad_norm is nan, loss is nan; training goes on"]
    assert math.isnan(result.history[0]["loss"])
    assert '"loss": "NaN"' in (tmp_path / "metrics.jsonl").read_text()
    assert math.isnan(read_history(tmp_path / "metrics.jsonl")[-1]["loss"])


def test_progress_shows_count_and_metrics():
    stream = io.StringIO()
    train(None, num_steps=4, stream=stream, title="digits")
    assert "digits 2/4 (50%)" in stream.getvalue()
    assert "loss=" in stream.getvalue()


def test_an_unwritable_directory_stops_the_run_before_it_starts(tmp_path):
    (tmp_path / "checkpoints").write_text("not a directory")

    def no_batches(index):
        pytest.fail("the run must not start")

    with pytest.raises(
        CheckpointError, match=r"checkpoints cannot be written to .*FileExistsError"
    ):
        train(tmp_path, num_steps=2, batches=no_batches)


@pytest.mark.usefixtures("bad_input")
def test_a_run_that_could_not_write_does_not_start(tmp_path):
    def no_batches(index):
        pytest.fail("the run must not start")

    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        train(None, num_steps=2, batches=no_batches, metrics_path=tmp_path / "file" / "lines")
    with pytest.raises(ValueError, match=r"checkpoint_dir: expected a path without.*lr=\[0\.1\]"):
        train(tmp_path / "lr=[0.1]", num_steps=2, batches=no_batches)
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_the_folder_of_the_metrics_is_made(tmp_path):
    path = tmp_path / "new" / "folder" / "metrics.jsonl"
    result = train(None, num_steps=2, metrics_path=path)
    assert read_history(path) == result.history


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_disk_that_fills_up_stops_the_run_and_it_can_be_resumed(tmp_path, reference):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def filling(index):
        if index == 5:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
        return BATCHES(index)

    try:
        with pytest.raises(CheckpointError, match=r"step 6 could not be written to .*there: 3\."):
            train(tmp_path, num_steps=STEPS, batches=filling, metrics_path=None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert_same(train(tmp_path, num_steps=STEPS).state, reference[0].state)


@pytest.mark.usefixtures("bad_input")
def test_a_directory_of_another_run_is_refused(tmp_path):
    train(tmp_path, num_steps=4)
    with pytest.raises(ValueError, match="num_steps: expected at least 4"):
        train(tmp_path, num_steps=3)
    step = jax.jit(make_train_step(noisy_loss_fn, OPTIMIZERS["adam"]))
    options = {"num_steps": 6, "checkpoint_dir": tmp_path / "checkpoints"}
    with pytest.raises(
        ValueError, match=r"checkpoint_dir: expected an empty directory.*another PRNG"
    ):
        fit(initial_state(seed=8), step, BATCHES, **options)
    with pytest.raises(ValueError, match="of another model or optimizer"):
        fit(initial_state(OPTIMIZERS["momentum"]), step, BATCHES, **options)


@pytest.mark.usefixtures("bad_input")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_steps": -1}, "num_steps: expected an integer >= 0"),
        ({"checkpoint_every": 0}, "checkpoint_every: expected an integer >= 1"),
        ({"evaluate_every": 0}, "evaluate_every: expected an integer >= 1"),
        ({"log_every": 0.5}, "log_every: expected an integer >= 1"),
        ({"keep": 0}, "keep: expected an integer >= 1"),
    ],
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        fit(initial_state(), lambda *_: None, BATCHES, **{"num_steps": 1, **options})


@pytest.mark.usefixtures("bad_input")
def test_unfit_states_and_metrics_are_refused(devices):
    def vector_fn(params, model_state, batch, key):
        return jnp.sum(params), (model_state, {"all": params})

    optimizer = OPTIMIZERS["adam"]
    state = create_train_state(jnp.ones(2), optimizer, key=jax.random.key(0))
    step = jax.jit(make_train_step(vector_fn, optimizer))
    with pytest.raises(ValueError, match=r"metrics\['all'\]: expected a scalar"):
        fit(state, step, BATCHES, num_steps=1)

    def nested(state, batch):
        return state.replace(step=state.step + 1), {"a": {"b": jnp.float32(0)}}

    with pytest.raises(ValueError, match=r"metrics\['a'\]: expected dtype real"):
        fit(state, nested, BATCHES, num_steps=1)

    def silent(state, batch):
        return state.replace(step=state.step + 1), {}

    with pytest.raises(ValueError, match=r"evaluate: expected a function that returns a dict"):
        fit(state, silent, BATCHES, num_steps=1, evaluate=lambda state: 0.93)

    def counting(state, batch):
        return state.replace(step=state.step + 1), {"step": jnp.float32(0)}

    with pytest.raises(ValueError, match=r"metrics: expected no metric of this name.*'step'"):
        fit(state, counting, BATCHES, num_steps=1)
    with pytest.raises(ValueError, match=r"state: expected a scalar step.*pmap_replicate"):
        fit(pmap_replicate(state, devices), step, BATCHES, num_steps=1)


@pytest.mark.usefixtures("bad_input")
@pytest.mark.parametrize("directory", [None, "checkpoints"])
def test_a_step_that_does_not_count_is_refused(tmp_path, directory):
    directory = None if directory is None else tmp_path / directory
    state = initial_state()
    with pytest.raises(ValueError, match=r"step: expected .* whose step is 2.*, got 0"):
        fit(
            state,
            lambda state, batch: (state, {}),
            BATCHES,
            num_steps=4,
            checkpoint_dir=directory,
            checkpoint_every=2,
            log_every=2,
        )
    assert directory is None or checkpoint_steps(directory) == []
