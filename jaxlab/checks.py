"""One way to refuse bad arguments, so that every message in jaxlab reads alike.

A refused argument raises ``ValueError`` at trace time with the argument's name, what it got and
what it expects. Value-dependent failure inside ``jit`` is never raised: it is a status in the
result. Importing this module does not import jax: shapes and dtypes are read from the arguments'
attributes.
"""

import contextlib
import difflib
import functools
import inspect
import math
import operator
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, TypeVar

import numpy as np

__all__ = [
    "check_bool",
    "check_choice",
    "check_dtype",
    "check_finite",
    "check_fit",
    "check_integer",
    "check_key",
    "check_number",
    "check_scalar",
    "check_shape",
    "check_uncut",
    "concrete",
    "extremes",
    "nearest",
    "require",
    "uncut",
]

T = TypeVar("T", bound=Callable[..., Any])


def require(condition: bool, argument: str, got: object, expected: str) -> None:
    """Raise ``ValueError`` naming ``argument``, what it ``got`` and what is ``expected``.

    Example:
        >>> require(False, "beta", -1.0, "a finite number >= 0")
        Traceback (most recent call last):
        ...
        ValueError: beta: expected a finite number >= 0, got -1.0
    """
    if not condition:
        raise ValueError(f"{argument}: expected {expected}, got {_describe(got)}")


def check_shape(argument: str, array: Any, shape: Sequence[int | np.integer | str | None]) -> None:
    """Refuse ``array`` unless its shape matches ``shape``.

    An integer must match exactly; a string or ``None`` matches any size (the string is how the
    message calls it); a leading ``"..."`` matches any number of leading axes.

    Example:
        >>> check_shape("query", np.zeros((3, 4)), ("...", 5))
        Traceback (most recent call last):
        ...
        ValueError: query: expected shape [..., 5], got float64[3, 4]
    """
    actual = tuple(_array(argument, array).shape)
    wanted = tuple(shape)
    if wanted and wanted[0] == "...":
        wanted = wanted[1:]
        fits = len(actual) >= len(wanted)
        compared = actual[len(actual) - len(wanted) :] if fits else actual
    else:
        fits = len(actual) == len(wanted)
        compared = actual
    fits = fits and all(
        want is None or isinstance(want, str) or have == want
        for have, want in zip(compared, wanted, strict=False)
    )
    names = ", ".join("any" if size is None else str(size) for size in shape)
    require(fits, argument, array, f"shape [{names}]")


def check_dtype(argument: str, array: Any, kind: str) -> None:
    """Refuse ``array`` unless its dtype is of ``kind``: "floating", "integer", "bool" or "real".

    ``"floating"`` and ``"integer"`` include those that numpy itself does not know, such as bfloat16
    and int4; ``"real"`` is any of the three.

    Example:
        >>> check_dtype("mask", np.zeros(3), "bool")
        Traceback (most recent call last):
        ...
        ValueError: mask: expected dtype bool, got float64[3]
    """
    check_choice("kind", kind, ("floating", "integer", "bool", "real"))
    found = _kind(_array(argument, array).dtype)
    fits = found is not None if kind == "real" else found == kind
    require(fits, argument, array, f"dtype {kind}")


def check_bool(argument: str, value: Any) -> None:
    """Refuse ``value`` unless it is True or False, of Python or numpy; 0 and 1 are not.

    Example:
        >>> check_bool("center", 1)
        Traceback (most recent call last):
        ...
        ValueError: center: expected True or False, got 1
    """
    require(isinstance(value, bool | np.bool_), argument, value, "True or False")


def check_integer(argument: str, value: Any, *, minimum: int | None = None) -> None:
    """Refuse ``value`` unless it is a Python-level integer, at least ``minimum``.

    Example:
        >>> check_integer("block_size", 0, minimum=1)
        Traceback (most recent call last):
        ...
        ValueError: block_size: expected an integer >= 1, got 0
    """
    expected = "an integer" if minimum is None else f"an integer >= {minimum}"
    try:
        integer = operator.index(value)
    except Exception:  # a tracer raises jax's own error here; all mean "not a static integer"
        integer = None
    fits = integer is not None and not isinstance(value, bool | np.bool_)
    require(fits and (minimum is None or integer >= minimum), argument, value, expected)  # type: ignore[operator]


def check_key(argument: str, key: Any) -> None:
    """Refuse ``key`` unless it is one typed PRNG key; a seed, a raw key or several keys are not.

    Example:
        >>> check_key("key", 0)
        Traceback (most recent call last):
        ...
        ValueError: key: expected one typed PRNG key, as jax.random.key(seed) gives, got 0
    """
    typed = str(getattr(key, "dtype", "")).startswith("key<")
    expected = "one typed PRNG key, as jax.random.key(seed) gives"
    require(typed and np.shape(key) == (), argument, key, expected)


def check_number(
    argument: str,
    value: Any,
    *,
    minimum: int | float | None = None,  # the runtime type checks take "float" literally
    maximum: int | float | None = None,
    above: int | float | None = None,
) -> None:
    """Refuse ``value`` if it is no real number, or is concrete and not finite or out of bounds.

    ``minimum`` and ``maximum`` are inclusive, ``above`` is exclusive. Arrays are checked entry by
    entry; truth values are the numbers 0 and 1. A traced number passes: inside ``jit`` its value is
    not known.

    Example:
        >>> check_number("fraction", 1.5, minimum=0, maximum=1)
        Traceback (most recent call last):
        ...
        ValueError: fraction: expected a finite number >= 0 and <= 1, got 1.5
    """
    bounds = [f">= {minimum}"] if minimum is not None else []
    bounds += [f"> {above}"] if above is not None else []
    bounds += [f"<= {maximum}"] if maximum is not None else []
    expected = "a finite number" + (" " + " and ".join(bounds) if bounds else "")
    try:
        known = concrete(value)
    except (TypeError, ValueError):  # a PRNG key, or a list of unequal rows: no number either
        known = np.array(None)
    dtype = getattr(value if known is None else known, "dtype", None)
    require(dtype is None or _kind(dtype) is not None, argument, value, expected)
    if known is None:
        return
    numbers = known.astype(np.float64)
    fits = bool(np.all(np.isfinite(numbers)))
    fits = fits and (minimum is None or bool(np.all(numbers >= minimum)))
    fits = fits and (above is None or bool(np.all(numbers > above)))
    fits = fits and (maximum is None or bool(np.all(numbers <= maximum)))
    require(fits, argument, value, expected)


def check_scalar(
    argument: str,
    value: Any,
    *,
    minimum: int | float | None = None,
    maximum: int | float | None = None,
    above: int | float | None = None,
) -> None:
    """Refuse ``value`` unless it is a single number within the bounds of :func:`check_number`.

    Example:
        >>> check_scalar("sigma", np.ones(2), minimum=0)
        Traceback (most recent call last):
        ...
        ValueError: sigma: expected shape [], got float64[2]
    """
    check_shape(argument, value, ())
    check_number(argument, value, minimum=minimum, maximum=maximum, above=above)


def check_finite(argument: str, array: Any) -> None:
    """Refuse ``array`` if it is concrete and has a NaN or an infinity, or is of no real numbers.

    Nothing of the array's size is allocated, as of :func:`extremes`. A traced array passes.

    Example:
        >>> check_finite("points", np.array([[0.0, np.nan]]))
        Traceback (most recent call last):
        ...
        ValueError: points: expected finite entries, got float64[1, 2]
    """
    check_dtype(argument, array, "real")
    ends = extremes(array)  # which NaN and infinities reach
    require(ends is None or all(map(math.isfinite, ends)), argument, array, "finite entries")


def check_fit(argument: str, values: np.ndarray) -> None:
    """Refuse numbers that the type jax gives them is too narrow for."""
    import jax

    dtype = jax.dtypes.canonicalize_dtype(values.dtype)
    with np.errstate(over="ignore"):
        kept = values.astype(dtype)
    if jax.numpy.issubdtype(dtype, jax.numpy.integer):
        lost = kept != values
    else:
        lost = np.isfinite(values) & ~np.isfinite(kept)
    require(not lost.any(), argument, values[lost][:1].tolist(), f"numbers that fit {dtype}")


def check_uncut(argument: str, values: Any, mask: Any = None) -> None:
    """Refuse numbers of NumPy that do not fit the type jax gives them.

    jax would cut them in silence. What is not there according to a ``mask`` that is known may be
    any number.
    """
    if not isinstance(values, np.ndarray | np.generic) or values.dtype.kind not in "iuf":
        return
    import jax

    dtype = jax.dtypes.canonicalize_dtype(values.dtype)
    if values.dtype == dtype or values.size == 0:
        return
    room = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    if room.min <= values.min() and values.max() <= room.max:  # of most, and nothing is copied
        return
    known, there = np.asarray(values), None if mask is None else concrete(mask)
    usable = there is not None and there.dtype == bool  # others are refused by the function
    check_fit(argument, known[there] if usable else known)


def uncut(function: T, *, whole: Collection[str] = ()) -> T:
    """Decorator of a jitted function: :func:`check_uncut` of its arguments, ahead of ``jit``.

    An argument ``mask`` says which entries of the others are there, along their first axis, but for
    those that are named in ``whole``.
    """
    names = tuple(inspect.signature(function).parameters)

    @functools.wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        given = dict(zip(names, args, strict=False)) | kwargs
        mask = given.get("mask")
        for name, value in given.items():
            masked = (
                mask is not None and name not in whole and np.shape(mask) == np.shape(value)[:1]
            )
            check_uncut(name, value, mask if masked else None)
        return function(*args, **kwargs)

    return checked  # type: ignore[return-value]


def check_choice(argument: str, value: Any, choices: Iterable[Any]) -> None:
    """Refuse ``value`` unless it is one of ``choices``; suggest the nearest one.

    Example:
        >>> check_choice("keep", "tip", ("top", "end"))
        Traceback (most recent call last):
        ...
        ValueError: keep: expected one of 'top', 'end' (did you mean 'top'?), got unknown keep 'tip'
    """
    options = list(choices)
    with contextlib.suppress(TypeError):  # an array cannot be hashed, and is no choice
        if value in frozenset(options):
            return
    listed = ", ".join(repr(option) for option in options)
    close = nearest(value, options)
    hint = f" (did you mean {close!r}?)" if close is not None else ""
    raise ValueError(
        f"{argument}: expected one of {listed}{hint}, got unknown {argument} {_describe(value)}"
    )


def nearest(value: object, choices: Iterable[str]) -> str | None:
    """The choice spelled most like ``value``, or None when nothing is close.

    Example:
        >>> nearest("simga", ["sigma", "seed"])
        'sigma'
    """
    matches = difflib.get_close_matches(
        str(value), [str(choice) for choice in choices], n=1, cutoff=0.5
    )
    return matches[0] if matches else None


def extremes(array: Any) -> tuple[float, float] | None:
    """Least and largest entry, or None where there are none or they are not known here.

    Nothing of the array's size is allocated, and what lies on an accelerator is looked at there:
    its extremes come back, not the array.
    """
    if math.prod(np.shape(array)) == 0:
        return None
    if hasattr(array, "devices"):  # one of jax's, which is loaded then
        import jax

        if isinstance(array, jax.core.Tracer) or not array.is_fully_addressable:
            return None
        if any(device.platform != "cpu" for device in array.devices()):
            # each device by itself: a reduction over several of them can lose NaN
            shards = [shard.data for shard in array.addressable_shards if shard.replica_id == 0]
            # A program compiled ahead is run at once. Any other call would be traced where a
            # transformation traces what is known too, as shard_map does outside jit.
            with jax.disable_jit(False):
                found = [_ends_program(x.shape, x.dtype, x.format)(x) for x in shards]
            ends = np.array([pair.tolist() for pair in found], np.float64)
            return float(ends[:, 0].min()), float(ends[:, 1].max())
    known = np.asarray(array)
    return float(known.min()), float(known.max())


@functools.lru_cache(maxsize=1024)
def _ends_program(shape: tuple[int, ...], dtype: Any, place: Any) -> Any:
    """Least and largest entry of an array of jax's on one device, compiled."""
    import jax

    with jax.enable_x64(True):  # or an array made where it was enabled would be rounded
        array = jax.ShapeDtypeStruct(shape, dtype, sharding=place)
        ends = jax.jit(lambda x: jax.numpy.stack([x.min(), x.max()]))
        return ends.lower(array).compile()


def concrete(value: Any) -> np.ndarray | None:
    """``value`` as a numpy array, or None when its value is not known here.

    That is so for what is traced, and for an array of which other processes hold a part.

    Raises:
        TypeError, ValueError: numpy's, for what is no array: a PRNG key, a list of unequal rows.
    """
    try:
        return np.asarray(value)
    except Exception as error:
        import jax  # not loaded by this module otherwise

        traced = isinstance(error, jax.errors.TracerArrayConversionError)
        if traced or not getattr(value, "is_fully_addressable", True):
            return None
        raise


def _array(argument: str, value: Any) -> Any:
    """What has a shape and a dtype: ``value`` itself, or made of it."""
    if hasattr(value, "shape") and hasattr(value, "dtype") and not isinstance(value, type):
        return value
    try:
        made = np.asarray(value)
    except ValueError:  # rows of different lengths
        made = None
    require(made is not None, argument, value, "an array")
    return made


def _kind(dtype: Any) -> str | None:
    """``"bool"``, ``"integer"`` or ``"floating"``; None for every other dtype."""
    try:
        dtype = np.dtype(dtype)
    except TypeError:  # of a typed PRNG key
        return None
    if dtype.kind == "V":  # those that numpy itself does not know
        extended = (("float", "floating"), ("int", "integer"))
        return next((kind for part, kind in extended if part in dtype.name), None)
    return {"b": "bool", "i": "integer", "u": "integer", "f": "floating"}.get(dtype.kind)


def _describe(value: object) -> str:
    """Shape and dtype of an array, the repr of anything else."""
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if isinstance(shape, tuple) and dtype is not None:  # a type of NumPy's has other attributes
        with contextlib.suppress(TypeError, RuntimeError):  # keys and deleted arrays show none
            if math.prod(shape) == 1 and (number := concrete(value)) is not None:
                return f"{number.reshape(()).item()!r}"
        return f"{dtype}[{', '.join(str(size) for size in shape)}]"
    return repr(value)
