import json
import math

import pytest

from jaxlab.training.history import append_record, read_history, rewind_history

RECORDS = [{"step": 2, "loss": 0.5}, {"step": 4, "loss": 0.1, "eval/error": 1e-9}]


def write(path, records=RECORDS):
    for record in records:
        append_record(path, record)


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "metrics.jsonl"
    assert read_history(path) == []
    write(path)
    assert read_history(path) == RECORDS
    assert isinstance(read_history(path)[0]["step"], int)
    assert [json.loads(line) for line in path.read_text().splitlines()] == RECORDS


def test_numbers_that_json_does_not_know_survive(tmp_path):
    path = tmp_path / "metrics.jsonl"
    append_record(path, {"step": 1, "a": math.nan, "b": math.inf, "c": -math.inf})
    json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    (record,) = read_history(path)
    assert math.isnan(record["a"])
    assert (record["b"], record["c"]) == (math.inf, -math.inf)


def test_rewinding_drops_what_comes_later_and_what_was_cut_off(tmp_path):
    path = tmp_path / "metrics.jsonl"
    assert rewind_history(path, 0) == []
    assert path.read_text() == ""
    write(path)
    before = path.read_text()
    path.write_text(before + '{"step": 6, "lo')
    assert rewind_history(path, 4) == RECORDS
    assert path.read_text() == before
    assert rewind_history(path, 3) == RECORDS[:1]
    assert read_history(path) == RECORDS[:1]
    assert [entry.name for entry in tmp_path.iterdir()] == ["metrics.jsonl"]


@pytest.mark.parametrize(
    "line",
    [
        *("loss 0.5\n", "[1, 2]\n", '{"loss": 1}\n', '{"step": 1, "loss": "x"}\n'),
        *('{"accuracy": 0.93}', '{"steps": 1', "loss"),  # no record of which the end was cut off
    ],
)
def test_a_file_of_something_else_is_refused_and_left_alone(tmp_path, line):
    path = tmp_path / "notes.txt"
    write(path, RECORDS[:1])
    content = path.read_text() + line
    path.write_text(content)
    with pytest.raises(ValueError, match=r"notes.txt, line 2: not a record of metrics"):
        rewind_history(path, 10)
    assert path.read_text() == content
