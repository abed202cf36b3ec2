"""Names that the functions of this room take as options; the functions say what each means."""

from typing import Literal, TypeAlias

__all__ = [
    "Activation",
    "Dft",
    "GammaGrid",
    "Grid",
    "Group",
    "Interpolation",
    "LayerKind",
    "OutputKind",
    "Padding",
    "SO3ToS2Mode",
    "TableUpsampling",
    "Task",
    "Upsampling",
]

Activation: TypeAlias = Literal["relu", "gelu", "silu", "softplus", "square", "none"]
Dft: TypeAlias = Literal["xla", "matmul"]
GammaGrid: TypeAlias = Literal["endpoint", "uniform"]
Grid: TypeAlias = Literal["soft", "driscoll_healy", "gauss_legendre"]
Group: TypeAlias = Literal["s2", "so3"]
Interpolation: TypeAlias = Literal["bilinear", "official", "nearest"]
LayerKind: TypeAlias = Literal["s2_to_so3", "so3_to_so3", "so3_to_s2"]
OutputKind: TypeAlias = Literal["s2", "so3", "invariant"]
Padding: TypeAlias = Literal["valid", "erp"]
SO3ToS2Mode: TypeAlias = Literal["sum", "integrate", "learned"]
TableUpsampling: TypeAlias = Literal["refuse", "aliased"]
Task: TypeAlias = Literal["segmentation", "classification"]
Upsampling: TypeAlias = Literal["zero_pad", "aliased"]
