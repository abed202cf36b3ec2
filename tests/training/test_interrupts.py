import signal
import threading

import pytest

from jaxlab.training.interrupts import TrainingInterrupted, stop_signals

NUMBERS = (signal.SIGINT, signal.SIGTERM)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_first_signal_is_noted_and_handlers_are_put_back(number):
    before = [signal.getsignal(each) for each in NUMBERS]
    with stop_signals() as stop:
        assert stop.signal is None
        signal.raise_signal(number)
        assert stop.signal == number.name
    assert [signal.getsignal(each) for each in NUMBERS] == before


def test_a_second_ctrl_c_acts_at_once():
    before = [signal.getsignal(each) for each in NUMBERS]

    def twice():
        with stop_signals():
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        twice()
    assert [signal.getsignal(each) for each in NUMBERS] == before


def test_a_handler_that_was_not_set_from_python_stays(monkeypatch):
    before = [signal.getsignal(each) for each in NUMBERS]
    ask = signal.getsignal

    def foreign(number):
        return None if number == signal.SIGTERM else ask(number)

    with monkeypatch.context() as patched:
        patched.setattr(signal, "getsignal", foreign)
        kept = signal.signal(signal.SIGTERM, signal.SIG_IGN)
        try:
            with stop_signals() as stop:
                signal.raise_signal(signal.SIGINT)
                assert stop.signal == "SIGINT"
                assert ask(signal.SIGINT) is signal.default_int_handler
                assert ask(signal.SIGTERM) is signal.SIG_IGN
        finally:
            signal.signal(signal.SIGTERM, kept)
    assert [signal.getsignal(each) for each in NUMBERS] == before


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_that_is_ignored_stays_so(number):
    (other,) = set(NUMBERS) - {number}
    kept = signal.signal(number, signal.SIG_IGN)
    try:
        with stop_signals() as stop:
            signal.raise_signal(number)
            assert stop.signal is None
            signal.raise_signal(other)
            assert stop.signal == other.name
            signal.raise_signal(number)
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, kept)


def test_another_thread_leaves_the_handlers_alone():
    before = [signal.getsignal(each) for each in NUMBERS]
    seen = []

    def work():
        with stop_signals() as stop:
            seen.append([signal.getsignal(each) for each in NUMBERS] == before)
            seen.append(stop.signal is None)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [True, True]


def test_an_interrupted_run_is_a_keyboard_interrupt_that_knows_where(tmp_path):
    error = TrainingInterrupted("stopped", 3, tmp_path)
    assert isinstance(error, KeyboardInterrupt)
    assert (str(error), error.step, error.checkpoint) == ("stopped", 3, tmp_path)
