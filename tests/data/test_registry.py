"""Names, splits and options; the record of every set."""

import dataclasses

import numpy as np
import pytest

import jaxlab.data
from jaxlab.data import registry
from jaxlab.data.photographs import photograph


def test_available_needs_no_network_for_embedded_sets():
    offline = {name for name, entry in jaxlab.data.available().items() if entry.offline}
    assert offline >= {
        "digits",
        "breast_cancer",
        "iris",
        "wine",
        "diabetes",
        "linnerud",
        "natural_patches",
    }


def test_available_looks_at_the_files(tmp_path):
    entry = registry.DATASETS["mnist"]
    assert not jaxlab.data.available(tmp_path)["mnist"].offline
    for spec in entry.files[:-1]:
        (tmp_path / spec.name).touch()
    assert not jaxlab.data.available(tmp_path)["mnist"].offline
    (tmp_path / entry.files[-1].name).touch()
    assert jaxlab.data.available(tmp_path)["mnist"].offline


@pytest.mark.parametrize("entry", registry.DATASETS.values(), ids=registry.DATASETS.keys())
def test_record_is_complete(entry):
    for field in dataclasses.fields(entry):
        if field.name not in ("files", "read"):
            assert getattr(entry, field.name), field.name
    assert len(entry.description) <= 100
    names = [spec.name for spec in entry.files]
    assert len(set(names)) == len(names)
    for spec in entry.files:
        assert spec.folder == entry.name
        assert all(url.endswith(spec.name) for url in spec.urls)


def test_checksums_are_pinned_once():
    digests = [spec.checksum for entry in registry.DATASETS.values() for spec in entry.files]
    assert len(set(digests)) == len(digests)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("mnits",), {}, "did you mean 'mnist'"),
        (("fashion-mnist",), {}, "did you mean 'fashion_mnist'"),
        (("mnist", "trian"), {}, "split: expected one of 'train', 'test' .*'train'"),
        (("digits", "train"), {}, "split: expected one of 'all'"),
        (("mnist",), {"dtpye": "uint8"}, "option of mnist: expected one of 'dtype'"),
        (("digits",), {"dtype": "uint8"}, "option of digits: expected no options"),
        (("cifar10",), {"dtype": "float16"}, "dtype: expected one of"),
        (("natural_patches",), {"seed": -1}, "seed: expected an integer >= 0"),
        (("natural_patches",), {"photographs": ()}, "photographs: expected a sequence"),
        (("natural_patches",), {"photographs": "china"}, "photographs: expected a sequence"),
        (("natural_patches",), {"photographs": ("chna",)}, "did you mean 'china'"),
        (("natural_patches",), {"photographs": ("china",) * 2}, "distinct"),
        (("diabetes",), {"scaled": "yes"}, "scaled: expected True or False"),
        (("tiny_imagenet",), {"limit": 0}, "limit: expected an integer >= 1"),
    ],
)
def test_bad_arguments_are_refused_by_name(arguments, options, message, bad_input):
    with pytest.raises(ValueError, match=message):
        jaxlab.data.load(*arguments, **options)


def test_an_unknown_photograph_is_refused_by_name():
    with pytest.raises(ValueError, match=r"name: expected one of .*did you mean 'china'"):
        photograph("chna")


def test_default_split_is_the_first():
    digits = jaxlab.data.load("digits")
    np.testing.assert_array_equal(digits["labels"], jaxlab.data.load("digits", "all")["labels"])


def test_dataset_names_its_arrays():
    with pytest.raises(KeyError, match="digits has images, labels; got 'image'"):
        jaxlab.data.load("digits")["image"]
