"""Experiments on finite-width neural tangent kernels."""
