"""A network's derivative with respect to its parameters as one flat list of linear equations.

``linear_program`` linearises a function with public jax API and inlines everything that merely
wraps other equations: jitted functions, rematerialised blocks, short scans. What is left is a list
of steps, each one primitive, in which every place where a parameter enters is in the open.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jax.extend import core
from jaxtyping import Array

from jaxlab.ntk._steps import scan_counts

__all__ = ["Program", "Step", "Value", "linear_program"]

Value: TypeAlias = "int | core.Literal"
"""The number of a variable, or a constant written in the program."""

# equations that only wrap a program, and where they keep it
_WRAPPERS = {
    "jit",
    "pjit",
    "call",
    "closed_call",
    "eval_jaxpr",
    "remat",
    "remat2",
    "checkpoint",
    "custom_jvp_call",
    "custom_vjp_call",
}
_BODIES = ("jaxpr", "call_jaxpr", "fun_jaxpr")


class Step(NamedTuple):
    """One equation.

    Attributes:
        primitive: what is computed.
        params: the primitive's static parameters.
        inputs: what it reads.
        outputs: numbers of the variables it defines.
    """

    primitive: core.Primitive
    params: dict[str, Any]
    inputs: tuple[Value, ...]
    outputs: tuple[int, ...]

    @property
    def name(self) -> str:
        """Name of the primitive."""
        return str(self.primitive.name)

    def run(self, values: Sequence[Any]) -> list[Any]:
        """The outputs for these inputs."""
        result = self.primitive.bind(*values, **self.primitive.get_bind_params(self.params))
        return list(result) if self.primitive.multiple_results else [result]


class Program(NamedTuple):
    """A function that is linear in its inputs.

    Attributes:
        inputs: one variable per parameter leaf.
        steps: equations in the order of evaluation.
        output: what is returned: one value.
        residuals: values that linearisation left behind.
        types: shape and dtype of every variable.
        dependent: variables that depend on a parameter.
    """

    inputs: tuple[int, ...]
    steps: list[Step]
    output: Value
    residuals: dict[int, Any]
    types: list[Any]
    dependent: frozenset[int]

    def is_known(self, value: Value) -> bool:
        """Whether ``value`` depends on no parameter."""
        return isinstance(value, core.Literal) or value not in self.dependent


class _Builder:
    """Collects the steps of a program while its nested parts are inlined."""

    def __init__(self, max_unroll: int):
        self.max_unroll = max_unroll
        self.steps: list[Step] = []
        self.types: list[Any] = []
        self.residuals: dict[int, Any] = {}
        self.dependent: set[int] = set()

    def variable(self, aval: Any, *, dependent: bool) -> int:
        self.types.append(aval)
        if dependent:
            self.dependent.add(len(self.types) - 1)
        return len(self.types) - 1

    def constant(self, value: Any, aval: Any) -> int:
        number = self.variable(aval, dependent=False)
        self.residuals[number] = value
        return number

    def depends(self, values: Sequence[Value]) -> bool:
        return any(isinstance(value, int) and value in self.dependent for value in values)

    def inline(
        self, jaxpr: Any, constants: Sequence[Value], arguments: Sequence[Value]
    ) -> list[Value]:
        """Add the equations of ``jaxpr`` applied to these values; return its outputs."""
        environment: dict[Any, Value] = {}
        environment.update(zip(jaxpr.constvars, constants, strict=True))
        environment.update(zip(jaxpr.invars, arguments, strict=True))

        def read(variable: Any) -> Value:
            return variable if isinstance(variable, core.Literal) else environment[variable]

        for equation in jaxpr.eqns:
            inputs = [read(variable) for variable in equation.invars]
            outputs = self.equation(equation, inputs)
            environment.update(zip(equation.outvars, outputs, strict=True))
        return [read(variable) for variable in jaxpr.outvars]

    def equation(self, equation: Any, inputs: list[Value]) -> Sequence[Value]:
        """Add one equation, opened where it wraps a program that depends on parameters."""
        name = equation.primitive.name
        dependent = self.depends(inputs)
        if dependent and name in _WRAPPERS:
            for key in _BODIES:
                if key in equation.params:
                    return self.closed(equation.params[key], inputs)
        if dependent and name == "scan" and 0 < equation.params["length"] <= self.max_unroll:
            return self.unrolled(equation, inputs)
        outputs = tuple(
            self.variable(variable.aval, dependent=dependent) for variable in equation.outvars
        )
        self.steps.append(Step(equation.primitive, dict(equation.params), tuple(inputs), outputs))
        return outputs

    def closed(self, jaxpr: Any, arguments: Sequence[Value]) -> list[Value]:
        """Inline a jaxpr, closed over its constants or open."""
        if isinstance(jaxpr, core.ClosedJaxpr):
            inner = jaxpr.jaxpr
            constants = [
                self.constant(value, variable.aval)
                for value, variable in zip(jaxpr.consts, inner.constvars, strict=True)
            ]
            return self.inline(inner, constants, arguments)
        return self.inline(jaxpr, [], arguments)

    def apply(self, function: Callable[..., Array], *inputs: Value) -> Value:
        """Add the equations of a jnp function of these values."""
        avals: list[Any] = [
            value.aval if isinstance(value, core.Literal) else self.types[value] for value in inputs
        ]
        shapes = [jax.ShapeDtypeStruct(aval.shape, aval.dtype) for aval in avals]
        return self.closed(jax.make_jaxpr(function)(*shapes), inputs)[0]

    def unrolled(self, equation: core.JaxprEqn, inputs: list[Value]) -> list[Value]:
        """A scan, iteration by iteration."""
        params = equation.params
        num_constants, num_carry = scan_counts(equation)
        constants, rest = inputs[:num_constants], inputs[num_constants:]
        carry, sequences = rest[:num_carry], rest[num_carry:]
        length = params["length"]
        order = range(length - 1, -1, -1) if params["reverse"] else range(length)
        rows: dict[int, list[Value]] = {}
        for index in order:
            slices = [
                self.apply(lambda xs, i=index: jax.lax.index_in_dim(xs, i, keepdims=False), xs)
                for xs in sequences
            ]
            results = self.closed(params["jaxpr"], [*constants, *carry, *slices])
            carry, rows[index] = results[:num_carry], results[num_carry:]
        columns = zip(*(rows[index] for index in range(length)), strict=True)
        return list(carry) + [self.apply(lambda *ys: jnp.stack(ys), *ys) for ys in columns]


def linear_program(
    function: Callable[[list[Array]], Array], leaves: list[Array], max_unroll: int
) -> tuple[Array, Program]:
    """The output of ``function`` at ``leaves`` and its derivative as a program.

    Args:
        function: ``(leaves) -> array``.
        leaves: parameters of floating dtype.
        max_unroll: scans of at most this length are unrolled.
    """
    output, tangent = jax.linearize(function, leaves)
    closed = jax.make_jaxpr(tangent)(leaves)
    builder = _Builder(max_unroll)
    inputs = [builder.variable(variable.aval, dependent=True) for variable in closed.jaxpr.invars]
    results = builder.closed(closed, inputs)
    program = Program(
        inputs=tuple(inputs),
        steps=builder.steps,
        output=results[0],
        residuals=builder.residuals,
        types=builder.types,
        dependent=frozenset(builder.dependent),
    )
    return output, program
