"""The cheap invariant control: logistic regression on the power spectrum of an image."""

import jax.numpy as jnp
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from jaxlab.experiments.spherical.inputs import SphereData, Splits
from jaxlab.experiments.spherical.spheres import Part, images_grid, project, spheres
from jaxlab.spherical.spectra import s2_power_spectrum
from jaxlab.spherical.tables import make_s2_tables
from jaxlab.spherical.transforms import s2_analysis

__all__ = ["power_features", "spectrum_accuracy"]

STRENGTHS = (0.1, 1.0, 10.0, 100.0)  # inverse regularisation, chosen on validation images


def power_features(x: np.ndarray, data: SphereData) -> np.ndarray:
    """Logarithm of the power in each degree: ``[n, L]`` of images ``[n, β, α]``."""
    tables = make_s2_tables(data.bandwidth, data.bandwidth, grid=images_grid(data))
    power = s2_power_spectrum(s2_analysis(jnp.asarray(x) / 255, tables))
    return np.log(np.asarray(power, np.float64) + 1e-9)


def spectrum_accuracy(data: SphereData, splits: Splits, seed: int) -> dict[str, float]:
    """Accuracy on test images, rotated and as they are, when fitted to images as they are."""

    def features(part: Part, rotate: bool) -> tuple[np.ndarray, np.ndarray]:
        planar = getattr(splits, part)
        samples = spheres(data, planar, part, rotate=rotate, seed=seed)
        return power_features(np.asarray(project(data, samples).x), data), samples.labels

    x, y = features("train", False)
    scaler = StandardScaler().fit(x)
    x = scaler.transform(x)
    models = [LogisticRegression(C=strength, max_iter=2000).fit(x, y) for strength in STRENGTHS]
    x_val, y_val = features("validation", False)
    best = max(models, key=lambda model: model.score(scaler.transform(x_val), y_val))
    return {
        name: float(best.score(scaler.transform(x), y))
        for name, (x, y) in (
            ("rotated", features("test", True)),
            ("plain", features("test", False)),
        )
    }
