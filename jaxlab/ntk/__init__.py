"""Fast finite-width neural tangent kernels (front door under construction)."""
