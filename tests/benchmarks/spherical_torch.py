"""Spherical CNNs in PyTorch the way they were published: a peer for timing, and an oracle.

Complex FFTs over both azimuths, then degree by degree a sum over colatitudes with Wigner's d, a
complex matrix product with the kernel's coefficients, and the way back. The coefficients are a
dense matrix of all kernel points and orders times the parameters. Written for these benchmarks from
the description in Cohen, Geiger, Köhler and Welling, *Spherical CNNs*, ICLR 2018, and Gerken et al.
2022; the authors' own code needs versions of PyTorch and CUDA that are no longer installable.
"""

import itertools
import math

import numpy as np
import torch

from jaxlab.spherical import colatitudes, quadrature_weights, wigner_D, wigner_d
from jaxlab.spherical.kernel_grids import kernel_points
from jaxlab.spherical.s2cnn_config import layer_kernels

__all__ = ["Segmentation"]


class Layer:
    """One convolution: tables by degree, and the matrix from parameters to coefficients."""

    def __init__(self, b_in, b_out, kgrid, kind):
        self.b_in, self.b_out, self.kind = b_in, b_out, kind
        self.degrees = range(min(b_in, b_out))
        on_sphere = kind == "lift", kind == "project"  # input, output
        d_in, d_out = (wigner_d(len(self.degrees), colatitudes(b)) for b in (b_in, b_out))
        group = "s2" if on_sphere[0] else "so3"
        weights = quadrature_weights(b_in, group=group)
        self.analysis, self.synthesis, self.kernel = [], [], []
        alpha, beta, gamma = kernel_points(kgrid).T
        D = wigner_D(len(self.degrees), alpha, beta, gamma)
        middle = len(self.degrees) - 1
        for degree in self.degrees:
            m = slice(middle - degree, middle + degree + 1)
            n_in = slice(middle, middle + 1) if on_sphere[0] else m
            n_out = slice(middle, middle + 1) if on_sphere[1] else m
            self.analysis.append(_complex(d_in[degree, m, n_in] * weights))
            self.synthesis.append(_complex((2 * degree + 1) * d_out[degree, m, n_out]))
            self.kernel.append(_complex(D[:, degree, m, n_in].reshape(len(alpha), -1)))
        scale = kgrid.n_points * (b_out**4 / b_in**2 if kind == "lift" else (b_out / b_in) ** 3)
        self.scale = (2 * b_out if kind == "lift" else 1) / math.sqrt(scale)

    def __call__(self, params, x):
        kernel, bias = params
        scale = self.scale / math.sqrt(kernel.shape[0])
        if self.kind == "lift":
            x = x[:, :, :, None]
        bins = torch.fft.fft2(x)  # [batch, channel, β, γ, α]
        out = 0
        for degree, forward, backward, dense in zip(
            self.degrees, self.analysis, self.synthesis, self.kernel, strict=True
        ):
            orders = torch.arange(-degree, degree + 1)
            n = orders[:1] * 0 if self.kind == "lift" else orders
            picked = bins[..., n % bins.shape[-2], :][..., orders % bins.shape[-1]]
            X = torch.einsum("bcknm,mnk->bcmn", picked, forward)
            Y = (scale * kernel.to(dense.dtype) @ dense).reshape(
                *kernel.shape[:2], 2 * degree + 1, -1
            )
            Z = torch.einsum("bimk,ionk->bomn", X, Y.conj())
            if self.kind == "project":
                Z = Z.sum(dim=-1, keepdim=True)
            values = torch.einsum("bomn,mnk->boknm", Z, backward)
            size = (1 if self.kind == "project" else 2 * self.b_out, 2 * self.b_out)
            n = orders[:1] * 0 if self.kind == "project" else orders
            full = values.new_zeros(*values.shape[:3], *size)
            full[..., (n % size[0])[:, None], orders % size[1]] = values
            out = out + full
        y = torch.fft.ifft2(out, norm="forward").real
        y = y[:, :, :, 0] if self.kind == "project" else y
        return y + bias.reshape(-1, *(1,) * (y.ndim - 2))


class Segmentation:
    """The network of a segmentation config, with parameters as of ``init_s2cnn``."""

    def __init__(self, cfg, params):
        sizes = (cfg.bandwidth, *cfg.bandlimits, cfg.bandwidth)
        kinds = ("lift", *("group",) * (len(sizes) - 3), "project")
        self.layers = [
            Layer(*ends, kgrid, kind)
            for ends, kgrid, kind in zip(
                itertools.pairwise(sizes), layer_kernels(cfg), kinds, strict=True
            )
        ]
        convolutions = (*(layer.conv for layer in params.layers), params.output)
        self.params = [
            tuple(_tensor(np.asarray(part), True) for part in (conv.kernel, conv.bias))
            for conv in convolutions
        ]
        self.optimizer = torch.optim.Adam(itertools.chain(*self.params), lr=1e-3)

    def __call__(self, x):
        """Logits ``[batch, classes, β, α]`` of images ``[batch, 1, β, α]``."""
        for layer, params in zip(self.layers, self.params, strict=True):
            x = layer(params, x)
            x = x if layer.kind == "project" else torch.relu(x)
        return x

    def step(self, x, labels):
        """One step of Adam; the loss before it."""
        self.optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(self(x), labels)
        loss.backward()
        self.optimizer.step()
        return float(loss.detach())


def _complex(array):
    return torch.from_numpy(np.ascontiguousarray(array, np.complex64))


def _tensor(array, requires_grad=False):
    # a copy: jax's arrays are read-only
    return torch.tensor(np.array(array, np.float32), requires_grad=requires_grad)
