"""The precision of matrix products, as the functions of this room take it."""

import contextlib
from typing import Any

import jax

__all__ = ["at_precision", "check_precision"]


def at_precision(precision: str | None) -> contextlib.AbstractContextManager[Any]:
    """Matrix products traced inside have this precision; None leaves what stands outside."""
    return (
        contextlib.nullcontext() if precision is None else jax.default_matmul_precision(precision)
    )


def check_precision(precision: str | None) -> None:
    """Refuse what ``jax.default_matmul_precision`` does not know."""
    try:
        with at_precision(precision):
            pass
    except ValueError as error:
        raise ValueError(f"precision: {error}") from error
