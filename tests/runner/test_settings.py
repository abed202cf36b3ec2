import math
import tomllib
from typing import Annotated, Literal

import pydantic
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jaxlab.experiments.interface import config
from jaxlab.runner.registry import UsageError
from jaxlab.runner.settings import (
    apply,
    differences,
    dump_toml,
    parse_set,
    spelled,
    to_values,
    validate,
)


@config
class Noise:
    kind: Literal["noise"]
    sigma: Annotated[float, pydantic.Field(ge=0, lt=2)]


@config
class Mask:
    kind: Literal["mask"]
    rows: bool


@config
class Config:
    seed: int
    counts: tuple[int, ...]
    name: Literal["digits", "fashion_mnist"]
    noise: Noise
    corruption: Noise | Mask
    note: str | None = None


GOOD = {
    "seed": 0,
    "counts": [2, 5],
    "name": "digits",
    "noise": {"kind": "noise", "sigma": 1},
    "corruption": {"kind": "mask", "rows": True},
}


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("seeds=5 data.name=digits", [("seeds", 5), ("data.name", "digits")]),
        ("  a=1\tb=2  ", [("a", 1), ("b", 2)]),
        ("sigma=[0.2, 0.3]", [("sigma", [0.2, 0.3])]),
        ("sigma=[.5]", [("sigma", [0.5])]),
        ("x=.5 y=5. z=-.5e-3", [("x", 0.5), ("y", 5.0), ("z", -0.5e-3)]),
        ("names=[dot,l1]", [("names", ["dot", "l1"])]),
        ('names=["a b","c"]', [("names", ["a b", "c"])]),
        ("title='two words'", [("title", "two words")]),
        ("'title=two words'", [("title", "two words")]),
        ("flag=true", [("flag", True)]),
        ('data={name = "digits"}', [("data", {"name": "digits"})]),
        ("nested=[[1,2],[a,b]]", [("nested", [[1, 2], ["a", "b"]])]),
        ("path=a=b", [("path", "a=b")]),
        (r'say="a \" b\\" x=1', [("say", 'a " b\\'), ("x", 1)]),
        (r"path='a\' x=1", [("path", "a\\"), ("x", 1)]),
        ("version=1.2.3", [("version", "1.2.3")]),
        ("day=2022-07-17 hour=09:30:00", [("day", "2022-07-17"), ("hour", "09:30:00")]),
        ("at=2022-07-17T09:30:00Z", [("at", "2022-07-17T09:30:00Z")]),
        ("days=[2022-07-17, 2022-07-18]", [("days", ["2022-07-17", "2022-07-18"])]),
        ("", []),
    ],
)
def test_set_is_read(text, pairs):
    assert parse_set(text) == pairs


@pytest.mark.parametrize("text", ["seeds", "=5", "seeds=", "a=[1", "a='b", "a=5 b"])
def test_set_without_a_value_is_refused(text):
    with pytest.raises(UsageError, match="--set"):
        parse_set(text)


def test_a_value_cannot_be_used_as_a_table():
    with pytest.raises(UsageError, match=r"seed\.x = 1: 'seed' is a value, not a table"):
        apply({"seed": 0}, [("seed.x", 1)])


def test_good_values_make_a_config():
    made = validate(Config, GOOD, "toy")
    assert made.counts == (2, 5)
    assert made.noise.sigma == 1.0
    assert isinstance(made.corruption, Mask)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("sead", 1, "sead = 1: unknown key; did you mean 'seed'? known: seed, counts"),
        ("sigma", 1, "did you mean 'noise.sigma'?"),
        ("noise.simga", 1, "noise.simga = 1: unknown key; did you mean 'noise.sigma'? known in"),
        ("noise.sigma", -1, "noise.sigma = -1: expected a number >= 0"),
        ("noise.sigma", 2, "noise.sigma = 2: expected a number < 2"),
        ("noise.sigma", "a", 'noise.sigma = "a": expected a valid number'),
        ("counts", 3, "counts = 3: expected a valid array"),
        ("counts", [1, "x"], 'counts[1] = "x": expected a valid integer'),
        ("name", "digit", "expected 'digits' or 'fashion_mnist'; did you mean 'digits'?"),
        ("seed", True, "seed = true: expected a valid integer"),
        ("seed", 1.5, "seed = 1.5: expected a valid integer"),
        ("seed", "5", 'seed = "5": expected a valid integer'),
        ("noise.sigma", math.inf, "noise.sigma = Infinity: expected a finite number"),
        ("noise", 4, "noise = 4: expected an object"),
        ("corruption.rowz", 1, "corruption.rowz = 1: unknown key; did you mean 'corruption.rows'?"),
    ],
)
def test_refusals_name_key_value_and_what_is_allowed(key, value, message):
    values = apply(tomllib.loads(dump_toml(GOOD)), [(key, value)])
    with pytest.raises(UsageError) as refusal:
        validate(Config, values, "toy, preset default")
    assert str(refusal.value).startswith("toy, preset default:\n  ")
    assert message in str(refusal.value)


def test_missing_keys_are_named_with_their_table():
    values = {**GOOD, "noise": {"kind": "noise"}}
    del values["seed"]
    with pytest.raises(UsageError) as refusal:
        validate(Config, values, "toy")
    assert "\n  seed: missing" in str(refusal.value)
    assert "\n  noise.sigma: missing" in str(refusal.value)


def test_dates_of_set_are_refused_by_name():
    pairs = parse_set("name=2022-07-17 noise={kind='noise',sigma=2022-07-17}")
    values = apply(tomllib.loads(dump_toml(GOOD)), pairs)
    with pytest.raises(UsageError) as refusal:
        validate(Config, values, "toy")
    assert "name = \"2022-07-17\": expected 'digits' or 'fashion_mnist'" in str(refusal.value)
    assert "noise = \"{kind='noise',sigma=2022-07-17}\": expected an object" in str(refusal.value)


def test_dates_of_a_preset_are_refused():
    values = GOOD | tomllib.loads("seed = 2022-07-17")
    with pytest.raises(UsageError, match="date"):
        validate(Config, values, "toy")


def test_values_survive_toml():
    made = validate(Config, GOOD, "toy")
    again = validate(Config, tomllib.loads(dump_toml(to_values(made))), "toy")
    assert again == made
    assert differences(to_values(made), to_values(again)) == []


scalars = (
    st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
values_of_toml = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1), inner, max_size=3)
    ),
    max_leaves=8,
)
trees = st.dictionaries(st.text(min_size=1), values_of_toml, max_size=5)


@given(trees)
def test_toml_that_is_written_is_read_back(values):
    # a surrogate is no text that a file could hold
    text = dump_toml(values)
    assert tomllib.loads(text.encode("utf-8", "strict").decode()) == values


tricky = st.sampled_from(
    ["true", "inf", "1_0", "2022-07-17", ".5", "a\\b", "a\nb", "\"'", "a]", ""]
)


@given(values_of_toml | tricky | st.lists(tricky | values_of_toml, max_size=3))
@example({"name": "digits", "fraction": 0.25})
@example([{"name": "a, b"}, "dot", 'a "quoted" word'])
def test_what_is_spelled_is_read_back(value):
    assert parse_set(f"a={spelled(value)} b=1") == [("a", value), ("b", 1)]


def test_quotes_only_where_they_are_needed():
    assert spelled(["digits", "fashion_mnist", "l1", -1, 0.5]) == "[digits,fashion_mnist,l1,-1,0.5]"


def test_differences_are_dotted_keys():
    left = {"seed": 0, "data": {"name": "a", "size": 1}, "only": 1}
    right = {"seed": 1, "data": {"name": "b", "size": 1}}
    assert differences(left, right) == ["data.name", "only", "seed"]
