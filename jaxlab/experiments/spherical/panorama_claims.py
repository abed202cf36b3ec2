"""What is claimed of panoramas and HEALPix maps as input."""

from jaxlab.experiments.interface import Claim

__all__ = ["CLAIMS"]

OUR_OWN = "not in the paper: a property of this implementation"

CLAIMS = (
    Claim(
        id="panoramas-are-recovered",
        statement="A bandlimited signal is recovered from the pixels of its equirectangular "
        "panorama, and from its samples on every grid, to rounding.",
        source="Driscoll and Healy 1994; Kostelec and Rockmore 2008: sampling theorems",
        paper="exact",
        criterion="relative error of the spectrum at most 1e-6 in float32, for panoramas and on "
        "every grid, at every number of degrees",
    ),
    Claim(
        id="healpix-is-recovered",
        statement="A bandlimited signal of L = 2·nside degrees is recovered from its HEALPix map "
        "by three corrections of the approximate quadrature.",
        source="Górski et al. 2005 for the iteration; the bound is ours",
        paper="no number for these sizes",
        criterion="relative error of the spectrum at most 1e-3 after 3 corrections, at every nside",
    ),
    Claim(
        id="linear-path-turns",
        statement="From panorama to output, a linear network commutes with the world's rotations "
        "to rounding.",
        source="Cohen et al. 2018 for the layers; the rest is ours",
        paper="exact",
        criterion="mean equivariance error without activation at most 1e-5 for panoramas, for "
        "both worlds",
    ),
    Claim(
        id="smooth-path-turns",
        statement="With smooth activations on a finer grid the whole path nearly does.",
        source=OUR_OWN,
        paper="–",
        criterion="mean equivariance error at most 1e-4 with softplus oversampled by 2 and SiLU by "
        "3, for panoramas, for both worlds",
    ),
    Claim(
        id="relu-path-turns-better-on-finer-grids",
        statement="With ReLU the error falls with oversampling.",
        source="Gerken et al. 2022 call their networks equivariant and use ReLU; the ablation is "
        "ours",
        paper="–",
        criterion="mean equivariance error falls with every increase of the oversampling, for "
        "panoramas, for both worlds",
    ),
    Claim(
        id="pixels-cost-equivariance",
        statement="Resampling the panorama pixel by pixel loses the equivariance that the layers "
        "have.",
        source=OUR_OWN,
        paper="–",
        criterion="mean equivariance error without activation at least 1e-3, a hundred times what "
        "the linear path is allowed, for resampled panoramas of both worlds",
    ),
)
