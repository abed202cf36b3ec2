"""Encoders of images, learned on images that are not stored: PCA and a small autoencoder.

The autoencoder is trained to give back the clean image, from the clean image itself or (denoising)
from one that is noisy or partly masked.
"""

import functools
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Key

from jaxlab.hopfield.corruption import gaussian_noise
from jaxlab.hopfield.masking import mask_rows, random_mask
from jaxlab.progress import Progress
from jaxlab.training import create_train_state, epoch_batches, fit, make_train_step

__all__ = ["Autoencoder", "Encoder", "Trained", "pca_encoder", "spoil", "train_autoencoder"]

Encoder = Callable[[Float[Array, "*b d"]], Float[Array, "*b c"]]


class Autoencoder(nn.Module):
    """Two strided convolutions, a linear code, and the way back.

    Attributes:
        code: size of the code.
        image_shape: height and width, multiples of 4.
        channels: of the first convolution; the second has twice as many.
    """

    code: int
    image_shape: tuple[int, int]
    channels: int = 16

    def setup(self) -> None:
        """The layers, apart for encoder and decoder."""
        height, width = (side // 4 for side in self.image_shape)
        inner = (height, width, 2 * self.channels)
        self._inner = inner
        self._down = [nn.Conv(self.channels, (3, 3), 2), nn.Conv(2 * self.channels, (3, 3), 2)]
        self._to_code = nn.Dense(self.code)
        self._from_code = nn.Dense(height * width * 2 * self.channels)
        self._up = [
            nn.ConvTranspose(self.channels, (3, 3), (2, 2)),
            nn.ConvTranspose(1, (3, 3), (2, 2)),
        ]

    def encode(self, images: Float[Array, "*b d"]) -> Float[Array, "*b c"]:
        """Codes of flattened images."""
        batch = images.shape[:-1]
        x = images.reshape(-1, *self.image_shape, 1)
        for layer in self._down:
            x = nn.gelu(layer(x))
        return self._to_code(x.reshape(x.shape[0], -1)).reshape(*batch, self.code)

    def __call__(self, images: Float[Array, "b d"]) -> Float[Array, "b d"]:
        """Reconstructions in [0, 1]."""
        x = nn.gelu(self._from_code(self.encode(images))).reshape(-1, *self._inner)
        x = nn.gelu(self._up[0](x))
        return nn.sigmoid(self._up[1](x)).reshape(images.shape)


def spoil(
    key: Key[Array, ""], images: Float[Array, "b d"], image_shape: tuple[int, ...]
) -> Float[Array, "b d"]:
    """Each image under one of three corruptions at random: noise, masked rows, masked pixels.

    Strengths are uniform per batch: ``σ`` in [0, 0.8], fractions in [0, 0.75]; rows are masked from
    below or from above.
    """
    of_kind, of_level, of_noise, of_pixels = jax.random.split(key, 4)
    sigma, rows, pixels = jax.random.uniform(of_level, (3,)) * jnp.array([0.8, 0.75, 0.75])
    choices = jnp.stack(
        [
            gaussian_noise(of_noise, images, sigma),
            mask_rows(images, rows, image_shape, keep="top"),
            mask_rows(images, rows, image_shape, keep="bottom"),
            random_mask(of_pixels, images, pixels, image_shape),
        ]
    )
    # noise, rows (either side) and pixels with a third each
    kind = jnp.array([0, 0, 1, 2, 3, 3])[jax.random.randint(of_kind, images.shape[:1], 0, 6)]
    return jnp.take_along_axis(choices, kind[None, :, None], axis=0)[0]


class Trained(NamedTuple):
    """An encoder, and the mean squared error per pixel of reconstructing training images."""

    encode: Encoder
    loss: float


def train_autoencoder(
    images: Float[Any, "n d"],
    image_shape: tuple[int, int],
    *,
    denoising: bool,
    code: int,
    steps: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    checkpoint_dir: Path,
) -> Trained:
    """Train, or go on from the newest checkpoint; a finished training is read back.

    Args:
        images: flattened training images in [0, 1].
        image_shape: height and width.
        denoising: whether the input is spoiled (:func:`spoil`).
        code: size of the code.
        steps: optimizer updates, with Adam and a cosine schedule.
        batch_size: images per update.
        learning_rate: at the start.
        seed: of the parameters, the order of the images and the corruptions.
        checkpoint_dir: where the state is kept.
    """
    model = Autoencoder(code=code, image_shape=image_shape)
    of_params, of_run = jax.random.split(jax.random.key(seed))
    params = model.init(of_params, jnp.zeros((1, images.shape[1])))
    optimizer = optax.adam(optax.cosine_decay_schedule(learning_rate, steps))

    def loss_fn(params: Any, model_state: Any, batch: Any, key: Array) -> Any:
        clean = batch["images"]
        given = spoil(key, clean, image_shape) if denoising else clean
        return jnp.mean(jnp.square(model.apply(params, given) - clean)), (model_state, {})

    result = fit(
        create_train_state(params, optimizer, key=of_run),
        jax.jit(make_train_step(loss_fn, optimizer), donate_argnums=0),
        epoch_batches({"images": images}, batch_size, seed=seed),
        num_steps=steps,
        checkpoint_dir=checkpoint_dir,
        checkpoint_every=max(1, steps // 4),
        keep=1,
        progress=functools.partial(
            Progress, stream=io.StringIO()
        ),  # the experiment's bar is enough
    )
    trained = result.state.params

    def encode(x: Float[Array, "*b d"]) -> Float[Array, "*b c"]:
        code: Any = model.apply(trained, x, method="encode")
        return code

    last = epoch_batches({"images": images}, batch_size, seed=seed)(steps)
    loss, _ = jax.jit(loss_fn)(trained, None, last, jax.random.fold_in(of_run, steps))
    return Trained(encode, float(loss))


def pca_encoder(images: Float[Array, "n d"], code: int) -> Trained:
    """Projection on the first ``code`` principal components of ``images``.

    The loss is the mean squared error of the reconstruction, as for the autoencoder.
    """
    mean = jnp.mean(images, axis=0)
    variances, axes = jnp.linalg.eigh((images - mean).T @ (images - mean) / len(images))
    components = axes[:, -code:]

    def encode(x: Float[Array, "*b d"]) -> Float[Array, "*b c"]:
        return (x - mean) @ components

    return Trained(encode, float(jnp.sum(variances[:-code]) / images.shape[1]))
