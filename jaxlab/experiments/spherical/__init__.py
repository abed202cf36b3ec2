"""Experiments on rotation-equivariant networks against augmentation on the sphere."""
