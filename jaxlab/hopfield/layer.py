"""Retrieval as a layer of a network: association, pooling and lookup, in flax.linen.

The layer is :func:`jaxlab.hopfield.retrieve` between learned linear maps, per head::

    q = query W_q    Y = memories W_y    V = values W_v
    q ← Yᵀ separation(β similarity(q, Y))          update_steps times
    output = concat over heads of Vᵀ separation(β similarity(q, Y)), times W_o

With ``projections=False`` and ``normalize=False`` nothing is learned and it is plain retrieval.
The three modules differ in what is given and what is a parameter: :class:`Hopfield` is given
queries and memories, :class:`HopfieldPooling` learns the queries (a bag of memories becomes a fixed
number of vectors), :class:`HopfieldLookup` learns the memories.

Source: H. Ramsauer et al. 2021, *Hopfield Networks is All You Need*, section 4 and its layers
``Hopfield``, ``HopfieldPooling`` and ``HopfieldLayer``, whose outputs these reproduce.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Bool, Float

from jaxlab.checks import check_integer, check_scalar, check_shape, require
from jaxlab.hopfield._declare import check_mask, output_dtype
from jaxlab.hopfield.retrieval import retrieve
from jaxlab.hopfield.separation import softmax
from jaxlab.hopfield.similarity import dot_product
from jaxlab.hopfield.types import Number, Separation, Similarity
from jaxlab.varying import vary_like

__all__ = ["Hopfield", "HopfieldLookup", "HopfieldPooling"]

EPSILON = 1e-5  # added to variances in normalisation


class Hopfield(nn.Module):
    """Associate queries with memories and return what the memories stand for.

    Attributes:
        num_heads: independent associations, each in its own subspace.
        head_dim: size of a head's space; default: the query's size divided by ``num_heads``.
        features: size of the output; default: that of the query.
        beta: inverse temperature; default ``1/√head_dim``.
        learn_beta: make ``beta`` the initial value of a parameter, one per head, kept positive by
            learning its logarithm.
        update_steps: how often the query is replaced by its retrieval before values are retrieved.
        similarity: compares queries with memories in a head's space.
        separation: makes a separation of ``beta``: ``softmax``, ``sparsemax``, ``entmax15``, …
        normalize: layer-normalise query, memories and values, each with its own scale and bias.
        projections: the linear maps; without them there is one head, and values are returned as
            they are mixed.
        dropout_rate: share of association weights dropped in training (random stream "dropout").

    Example:
        >>> layer = Hopfield(num_heads=2, head_dim=4)
        >>> query, memories = jnp.ones((5, 3, 8)), jnp.ones((5, 7, 6))
        >>> output, parameters = layer.init_with_output(jax.random.key(0), query, memories)
        >>> output.shape
        (5, 3, 8)
    """

    num_heads: int = 1
    head_dim: int | None = None
    features: int | None = None
    beta: Number | None = None
    learn_beta: bool = False
    update_steps: int = 0
    similarity: Similarity = dot_product
    separation: Callable[[Any], Separation] = softmax
    normalize: bool = True
    projections: bool = True
    dropout_rate: float = 0.0

    @nn.compact
    def __call__(
        self,
        query: Float[Array, "*b q d"],
        memories: Float[Array, "*b n c"] | None = None,
        values: Float[Array, "*b n p"] | None = None,
        mask: Bool[Array, "*b n"] | None = None,
        *,
        deterministic: bool = True,
    ) -> Float[Array, "*b q out"]:
        """Apply the layer.

        Args:
            query: state patterns, ``q`` a sample.
            memories: stored patterns, ``n`` a sample; default ``query`` (self-association).
            values: what each memory stands for; default ``memories``.
            mask: which memories are there. A sample without any retrieves zeros.
            deterministic: no dropout.

        Returns:
            One pattern per query.

        Raises:
            ValueError: leading axes, numbers of memories, or sizes do not fit; an attribute is out
                of range.

        Cost:
            ``update_steps + 1`` retrievals of ``2 q n head_dim`` operations per head and sample,
            and ``O(q n)`` memory for the weights.
        """
        memories = query if memories is None else memories
        values = memories if values is None else values
        _check_inputs(query, memories, values, mask)
        size, features = self._sizes(query.shape[-1])
        if self.normalize:
            query = nn.LayerNorm(EPSILON, name="query_norm")(query)
            memories = nn.LayerNorm(EPSILON, name="memory_norm")(memories)
            values = nn.LayerNorm(EPSILON, name="value_norm")(values)
        if self.projections:
            heads = (self.num_heads, size)
            query = nn.DenseGeneral(heads, name="query")(query)
            memories = nn.DenseGeneral(heads, name="memory")(memories)
            values = nn.DenseGeneral(heads, name="value")(values)
        else:
            query, memories, values = (x[..., None, :] for x in (query, memories, values))
        beta: Any = 1 / math.sqrt(size) if self.beta is None else self.beta
        if self.learn_beta:
            start = nn.initializers.constant(jnp.log(beta))
            beta = jnp.exp(self.param("log_beta", start, (self.num_heads,)))
        weights = association_weights(
            query,
            memories,
            mask,
            beta,
            similarity=self.similarity,
            separation=self.separation,
            update_steps=self.update_steps,
        )
        weights = nn.Dropout(self.dropout_rate)(weights, deterministic=deterministic)
        output = jnp.einsum("...hqn,...nhp->...qhp", weights, values)
        output = output.astype(output_dtype(query, values))  # weights are float32 or wider
        if not self.projections:
            return output[..., 0, :]
        return nn.DenseGeneral(features, axis=(-2, -1), name="output")(output)

    def _sizes(self, query_size: int) -> tuple[int, int]:
        """Sizes of a head's space and of the output, once the attributes are known to be right."""
        check_integer("num_heads", self.num_heads, minimum=1)
        check_integer("update_steps", self.update_steps, minimum=0)
        if self.beta is not None:
            check_scalar("beta", self.beta, minimum=0)
            if self.learn_beta:  # its logarithm is what is learned
                check_scalar("beta", self.beta, above=0)
        check_scalar("dropout_rate", self.dropout_rate, minimum=0, maximum=1)
        if not self.projections:
            alone = self.num_heads == 1 and self.head_dim is None and self.features is None
            given = (self.num_heads, self.head_dim, self.features)
            expected = "one head and no head_dim or features without projections"
            require(alone, "(num_heads, head_dim, features)", given, expected)
            return query_size, query_size
        if self.head_dim is None:
            divides = query_size % self.num_heads == 0
            require(divides, "num_heads", self.num_heads, f"a divisor of {query_size}, or head_dim")
        size = query_size // self.num_heads if self.head_dim is None else self.head_dim
        check_integer("head_dim", size, minimum=1)
        features = query_size if self.features is None else self.features
        check_integer("features", features, minimum=1)
        return size, features


class HopfieldPooling(nn.Module):
    """Pool a bag of memories into ``num_queries`` vectors, by learned queries.

    Attributes:
        num_queries: how many.
        hopfield: the association; default: a :class:`Hopfield` with its own defaults. Parameters of
            one that another module makes while it is called are, as always in flax, that module's.

    Example:
        >>> layer = HopfieldPooling(num_queries=2, hopfield=Hopfield(num_heads=3))
        >>> bags, mask = jnp.ones((5, 7, 6)), jnp.ones((5, 7), bool)
        >>> output, parameters = layer.init_with_output(jax.random.key(0), bags, mask)
        >>> output.shape
        (5, 2, 6)
    """

    num_queries: int = 1
    hopfield: Hopfield | None = None

    @nn.compact
    def __call__(
        self,
        memories: Float[Array, "*b n d"],
        mask: Bool[Array, "*b n"] | None = None,
        *,
        deterministic: bool = True,
    ) -> Float[Array, "*b q out"]:
        """Pool each bag; ``mask`` says which of its members are there, and order does not matter.

        Raises:
            ValueError: as :class:`Hopfield`; ``num_queries < 1``.

        Cost:
            As :class:`Hopfield`: the learned queries are normalised and projected for every bag,
            which costs little as long as they are fewer than its members.
        """
        check_integer("num_queries", self.num_queries, minimum=1)
        check_shape("memories", memories, ("...", "n", "d"))
        *batch, _, size = memories.shape
        queries = self.param("queries", nn.initializers.normal(0.02), (self.num_queries, size))
        queries = jnp.broadcast_to(queries, (*batch, *queries.shape))
        hopfield = Hopfield(name="hopfield") if self.hopfield is None else self.hopfield
        return hopfield(queries, memories, mask=mask, deterministic=deterministic)


class HopfieldLookup(nn.Module):
    """Retrieve from ``num_memories`` learned memories: a trained look-up table.

    Attributes:
        num_memories: how many.
        separate_values: learn what the memories stand for apart from the memories themselves.
        hopfield: the association; default: a :class:`Hopfield` with its own defaults. Parameters of
            one that another module makes while it is called are, as always in flax, that module's.

    Example:
        >>> layer = HopfieldLookup(num_memories=10)
        >>> output, parameters = layer.init_with_output(jax.random.key(0), jnp.ones((5, 3, 6)))
        >>> output.shape
        (5, 3, 6)
    """

    num_memories: int
    separate_values: bool = False
    hopfield: Hopfield | None = None

    @nn.compact
    def __call__(
        self, query: Float[Array, "*b q d"], *, deterministic: bool = True
    ) -> Float[Array, "*b q out"]:
        """Look each query up.

        Raises:
            ValueError: as :class:`Hopfield`; ``num_memories < 1``.

        Cost:
            As :class:`Hopfield` with all queries in one sample: memories are normalised and
            projected once, however many samples there are.
        """
        check_integer("num_memories", self.num_memories, minimum=1)
        check_shape("query", query, ("...", "q", "d"))
        shape = (self.num_memories, query.shape[-1])
        start = nn.initializers.normal(0.02)
        memories = self.param("memories", start, shape)
        values = self.param("values", start, shape) if self.separate_values else memories
        queries = query.reshape(math.prod(query.shape[:-1]), query.shape[-1])
        hopfield = Hopfield(name="hopfield") if self.hopfield is None else self.hopfield
        output = hopfield(queries, memories, values, deterministic=deterministic)
        return output.reshape(*query.shape[:-1], output.shape[-1])


def association_weights(
    query: Float[Array, "*b q h k"],
    memories: Float[Array, "*b n h k"],
    mask: Bool[Array, "*b n"] | None,
    beta: Number | Float[Array, " h"],
    *,
    similarity: Similarity,
    separation: Callable[[Any], Separation],
    update_steps: int,
) -> Float[Array, "*b h q n"]:
    """How much of each memory each query retrieves, per head, after ``update_steps`` updates."""

    def one_head(query: Array, memories: Array, mask: Array | None, beta: Any) -> Array:
        options: dict[str, Any] = {"similarity": similarity, "separation": separation(beta)}

        def update(state: Array, _: None) -> tuple[Array, None]:
            return retrieve(state, memories, mask=mask, **options).output, None

        if jnp.issubdtype(query.dtype, jnp.floating):  # what a step returns, if dtypes are mixed
            query = query.astype(output_dtype(query, memories))
        query = vary_like(query, jax.eval_shape(update, query, None))
        state, _ = jax.lax.scan(update, query, length=update_steps)
        return retrieve(state, memories, mask=mask, **options).weights

    def one_sample(query: Array, memories: Array, mask: Array | None) -> Array:
        per_head = 0 if jnp.ndim(beta) else None
        return jax.vmap(one_head, (-2, -2, None, per_head))(query, memories, mask, beta)

    batch = query.shape[:-3]

    def flat(array: Array) -> Array:
        return array.reshape(math.prod(batch), *array.shape[len(batch) :])

    rows = None if mask is None else flat(mask)
    weights = jax.vmap(one_sample)(flat(query), flat(memories), rows)
    return weights.reshape(*batch, *weights.shape[1:])


def _check_inputs(query: Array, memories: Array, values: Array, mask: Array | None) -> None:
    check_shape("query", query, ("...", "q", "d"))
    batch = query.shape[:-2]
    check_shape("memories", memories, (*batch, "n", "c"))
    check_shape("values", values, (*batch, memories.shape[-2], "p"))
    check_mask(mask, (*batch, memories.shape[-2]))
