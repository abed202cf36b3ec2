"""Ways to spoil a pattern before the memory is asked for it: noise and flipped entries.

Patterns are flat vectors ``[*b, d]``, and every pattern of a batch is corrupted independently.
``fraction`` and ``sigma`` may be traced, so one compilation serves a whole curve; a concrete value
out of range is refused. The masks, which need to know where a pixel lies, are in
:mod:`jaxlab.hopfield.masking` and are found here too.
"""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, Shaped

from jaxlab.checks import check_bool, check_dtype, check_key, check_scalar, check_shape, require
from jaxlab.hopfield.masking import border_mask, center_mask, mask_rows, random_mask
from jaxlab.hopfield.types import Number

__all__ = [
    "border_mask",
    "center_mask",
    "flip_bits",
    "gaussian_noise",
    "mask_rows",
    "random_mask",
    "salt_and_pepper",
]


def gaussian_noise(
    key: Key[Array, ""], x: Float[Array, "*b d"], sigma: Number, rectify: bool = True
) -> Float[Array, "*b d"]:
    """Additive Gaussian noise ``x + sigma·ε``, by default folded back into the range of pixels.

    With ``rectify`` the result is ``clip(|x + sigma·ε|, 0, 1)``, the noise of the paper's
    experiments: ``sigma`` is a standard deviation (the figures' axis calls it a variance), and the
    absolute value brightens black pixels by ``sigma·√(2/π)`` on average.

    Args:
        key: typed PRNG key.
        x: patterns, ``[*b, d]``, floating; in ``[0, 1]`` when ``rectify``.
        sigma: standard deviation of the noise, >= 0; may be traced.
        rectify: static; False returns the plain sum, unbounded.

    Returns:
        Noisy patterns of the shape and dtype of ``x``.

    Raises:
        ValueError: ``x`` not floating or without axes, ``sigma`` negative or not finite.

    Cost: O(size of x) time and memory.

    Source: Millidge et al. 2022, section 4 (official ``gaussian_perturb_image``).

    Example:
        >>> x = jnp.full((2, 3), 0.5)
        >>> noisy = gaussian_noise(jax.random.key(0), x, 0.2)
        >>> noisy.shape, bool(((noisy >= 0) & (noisy <= 1)).all())
        ((2, 3), True)
    """
    check_key("key", key)
    check_bool("rectify", rectify)
    check_shape("x", x, ("...", "d"))
    check_dtype("x", x, "floating")
    check_scalar("sigma", sigma, minimum=0)
    return _gaussian_noise(key, x, sigma, rectify)


@functools.partial(jax.jit, static_argnames=("rectify",))
def _gaussian_noise(key: Array, x: Array, sigma: Number, rectify: bool) -> Array:
    noisy = x + jnp.asarray(sigma, x.dtype) * jax.random.normal(key, x.shape, x.dtype)
    return jnp.clip(jnp.abs(noisy), 0, 1) if rectify else noisy


def flip_bits(
    key: Key[Array, ""], x: Shaped[Array, "*b d"], fraction: Number
) -> Shaped[Array, "*b d"]:
    """Negate exactly ``round(fraction·d)`` entries of every pattern, chosen at random.

    The corrupted pattern then lies at Hamming distance ``round(fraction·d)`` from a bipolar one.

    Args:
        key: typed PRNG key.
        x: bipolar patterns (entries −1 and +1), ``[*b, d]``, floating or signed integer; or boolean
            ones, whose entries are inverted.
        fraction: share of entries to flip, in ``[0, 1]``; may be traced. With one key, the entries
            flipped at a smaller fraction are flipped at every larger one.

    Returns:
        Patterns of the shape and dtype of ``x``.

    Raises:
        ValueError: fraction outside ``[0, 1]``, ``x`` unsigned or without axes.

    Cost: O(size of x · log d) time, O(size of x) memory.

    Source: the usual corruption of bipolar patterns, as in Hopfield 1982.

    Example:
        >>> flipped = flip_bits(jax.random.key(0), jnp.ones((2, 8)), 0.25)
        >>> (flipped == -1).sum(-1)
        Array([2, 2], dtype=int32)
    """
    check_key("key", key)
    check_shape("x", x, ("...", "d"))
    unsigned = jnp.issubdtype(jnp.result_type(x), jnp.unsignedinteger)
    require(not unsigned, "x", x, "a signed or boolean dtype")
    check_scalar("fraction", fraction, minimum=0, maximum=1)
    return _flip_bits(key, x, fraction)


@jax.jit
def _flip_bits(key: Array, x: Array, fraction: Number) -> Array:
    # The rank of a uniform draw is a random permutation; its first `count` places are flipped.
    rank = jnp.argsort(jnp.argsort(jax.random.uniform(key, x.shape), axis=-1), axis=-1)
    count = jnp.round(x.shape[-1] * jnp.asarray(fraction)).astype(jnp.int32)
    flipped = jnp.logical_not(x) if x.dtype == jnp.bool_ else -x
    return jnp.where(rank < count, flipped, x)


def salt_and_pepper(
    key: Key[Array, ""], x: Shaped[Array, "*b d"], fraction: Number
) -> Shaped[Array, "*b d"]:
    """Replace every entry with probability ``fraction`` by 0 or 1, equally likely.

    Args:
        key: typed PRNG key.
        x: patterns with entries in ``[0, 1]``, ``[*b, d]``.
        fraction: probability of replacing an entry, in ``[0, 1]``; may be traced.

    Returns:
        Patterns of the shape and dtype of ``x``.

    Raises:
        ValueError: fraction outside ``[0, 1]``, ``x`` without axes.

    Cost: O(size of x) time and memory.

    Source: the usual impulse noise of image processing; not in the paper.

    Example:
        >>> noisy = salt_and_pepper(jax.random.key(0), jnp.full(100, 0.5), 1.0)
        >>> bool(((noisy == 0) | (noisy == 1)).all())
        True
    """
    check_key("key", key)
    check_shape("x", x, ("...", "d"))
    check_scalar("fraction", fraction, minimum=0, maximum=1)
    return _salt_and_pepper(key, x, fraction)


@jax.jit
def _salt_and_pepper(key: Array, x: Array, fraction: Number) -> Array:
    where_key, value_key = jax.random.split(key)
    replaced = jax.random.uniform(where_key, x.shape) < fraction
    salt = jax.random.bernoulli(value_key, 0.5, x.shape).astype(x.dtype)
    return jnp.where(replaced, salt, x)
