"""What a terminal shows: a live line, and every text as it is."""

import io

import pytest

from jaxlab.progress import Progress

NAMES = ("toy [train]", "err[/val]", "[b]", "a\\[b")


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("name", NAMES)
def test_a_terminal_shows_every_text_as_it_is(monkeypatch, name):
    monkeypatch.setenv("COLUMNS", "200")
    stream = Terminal()
    with Progress(f"title {name}", total=2, stream=stream) as progress:
        progress.message(f"message {name} " + 300 * "x")
        progress.advance(2, latest={f"metric {name}": 0.25})
    shown = stream.getvalue()
    for text in (f"title {name}", f"message {name} {300 * 'x'}", f"metric {name}=0.25", "2/2"):
        assert text in shown
