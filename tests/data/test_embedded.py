"""The sets that packages ship, against the packages' own loaders."""

import importlib.util

import numpy as np
import pytest
import sklearn.datasets

import jaxlab.data
from jaxlab.data import DataUnavailableError, photographs


def test_digits():
    digits = jaxlab.data.load("digits")
    assert list(digits) == ["images", "labels"]
    assert "images" in digits
    assert "label_names" not in digits
    assert digits["images"].shape == (1797, 8, 8)
    assert digits["images"].dtype == np.float32
    assert (digits["images"].min(), digits["images"].max()) == (0.0, 1.0)
    expected = sklearn.datasets.load_digits()
    np.testing.assert_array_equal(digits["images"] * 16, expected.images)
    np.testing.assert_array_equal(digits["labels"], expected.target)
    assert digits.info.sha256 == {}


@pytest.mark.parametrize("name", ["breast_cancer", "iris", "wine"])
def test_classes(name):
    data = jaxlab.data.load(name)
    expected = getattr(sklearn.datasets, f"load_{name}")()
    np.testing.assert_allclose(data["features"], expected.data, rtol=1e-6)
    np.testing.assert_array_equal(data["labels"], expected.target)
    assert list(data["feature_names"]) == list(expected.feature_names)
    assert list(data["label_names"]) == list(expected.target_names)
    assert data["features"].dtype == np.float32
    assert data["labels"].dtype == np.int32


def test_diabetes():
    scaled = jaxlab.data.load("diabetes")
    np.testing.assert_allclose((scaled["features"] ** 2).sum(0), 1, rtol=1e-5)
    raw = jaxlab.data.load("diabetes", scaled=False)
    assert raw["features"][:, 0].max() > 70, "ages in years"
    np.testing.assert_array_equal(raw["targets"], sklearn.datasets.load_diabetes().target)


def test_linnerud():
    data = jaxlab.data.load("linnerud")
    expected = sklearn.datasets.load_linnerud()
    np.testing.assert_array_equal(data["features"], expected.data)
    np.testing.assert_array_equal(data["targets"], expected.target)
    assert list(data["feature_names"]) == ["Chins", "Situps", "Jumps"]
    assert list(data["target_names"]) == ["Weight", "Waist", "Pulse"]


def test_patches_tile_the_photographs():
    """Every patch is found once in its photograph, and all together cover it."""
    data = jaxlab.data.load("natural_patches", seed=3, dtype="uint8")
    assert data["images"].shape == (520, 32, 32, 3)
    pictures = sklearn.datasets.load_sample_images()
    for label, name in enumerate(data["label_names"]):
        picture = next(
            image
            for file, image in zip(pictures.filenames, pictures.images, strict=True)
            if name in file
        )
        expected = {
            picture[row : row + 32, column : column + 32].tobytes()
            for row in range(0, 427 - 31, 32)
            for column in range(0, 640 - 31, 32)
        }
        mine = [patch.tobytes() for patch in data["images"][data["labels"] == label]]
        assert len(mine) == 260
        assert set(mine) == expected


def test_patches_are_scaled_and_shuffled_by_seed():
    first = jaxlab.data.load("natural_patches", seed=1)
    again = jaxlab.data.load("natural_patches", seed=1)
    other = jaxlab.data.load("natural_patches", seed=2)
    as_bytes = jaxlab.data.load("natural_patches", seed=1, dtype="uint8")
    assert first["images"].dtype == np.float32
    np.testing.assert_array_equal(first["images"], again["images"])
    np.testing.assert_array_equal(first["images"], as_bytes["images"] / np.float32(255))
    assert (first["images"] != other["images"]).any()
    assert 100 < first["labels"][:260].sum() < 160, "both photographs in each half"


@pytest.mark.skipif(importlib.util.find_spec("skimage") is None, reason="needs scikit-image")
def test_patches_of_scikit_image():
    names = ("astronaut", "chelsea", "coffee", "rocket", "motorcycle")
    data = jaxlab.data.load("natural_patches", photographs=names)
    import skimage.data

    for label, name in enumerate(names[:4]):
        height, width, _ = getattr(skimage.data, name)().shape
        assert (data["labels"] == label).sum() == (height // 32) * (width // 32)
    assert (data["labels"] == 4).sum() > 0


def test_photograph_whose_package_is_missing(monkeypatch):
    monkeypatch.setitem(
        photographs.PHOTOGRAPHS, "coffee", ("no_such_package", "no-such-package", "x.png")
    )
    with pytest.raises(DataUnavailableError, match="pip install no-such-package"):
        jaxlab.data.load("natural_patches", photographs=("coffee",))


def test_photograph_that_the_package_does_not_ship(monkeypatch):
    monkeypatch.setitem(
        photographs.PHOTOGRAPHS, "coffee", ("sklearn", "scikit-learn", "data/no.png")
    )
    with pytest.raises(DataUnavailableError, match="does not ship the photograph 'coffee'"):
        jaxlab.data.load("natural_patches", photographs=("china", "coffee"))
