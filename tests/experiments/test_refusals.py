"""Configs that cannot run are refused in words that name the key, before anything is computed."""

import re

import pytest

from jaxlab.experiments.hopfield import feature_space, heteroassociation
from jaxlab.experiments.kcenter import fashion, privacy_sweep
from jaxlab.experiments.leverage import cur
from jaxlab.experiments.ntk import evolution
from jaxlab.experiments.spherical import multi_item
from jaxlab.runner.registry import UsageError
from jaxlab.runner.request import resolve

# experiment, values, what the refusal says
REFUSED = [
    ("leverage-scaling", "rows=[100,100] columns=[8,8]", "\n  rows, columns: expected each shape"),
    (
        "correlation-clustering-lower-bound",
        "bases=[6,6] phases=[3,2]",
        "\n  bases: expected each entry once, got (6, 6)",
    ),
    ("spherical-segmentation", "classes=[[1,1]]", "\n  classes: expected each label of a set once"),
    (
        "correlation-clustering-lower-bound",
        "phases=[2,2]",
        "phases: expected as many entries as bases (1), got",
    ),
    ("correlation-clustering-online", "timed=[off,off]", "timed: expected each entry once, got"),
    ("correlation-clustering-refined", "arrivals=10 checkpoints=25", "at most the arrivals, 10"),
    ("graph-algorithms-learned-duals-geometric", "tests=1", "timed: expected at most tests"),
    ("graph-algorithms-learned-potentials", "seed=-1", "seed = -1: expected a number >= 0"),
    ("graph-algorithms-learned-potentials", "shortest=2000", "at most longest, 1000"),
    ("graph-algorithms-prediction-error", "shortest=2000", "at most longest, 1000"),
    ("graph-algorithms-learned-reductions", "edges=65", "edges: expected at most all pairs, 64"),
    ("graph-algorithms-learned-reductions", "cheapest=2000", "at most dearest, 1000"),
    ("hopfield-classical", "sparse.counts=[]", "sparse.counts = []: "),
    ("hopfield-classical", "sparse.distances=[]", "sparse.distances = []: "),
    ("hopfield-classical", "one_step.dims=[]", "one_step.dims = []: "),
    ("hopfield-classical", "one_step.dims=[1]", "\n  one_step.dims[0] = 1: expected a number >= 2"),
    (
        "hopfield-classical",
        "sparse.dim=5 sparse.overlap_distances=[0,6] sparse.distances=[0]",
        "\n  sparse.overlap_distances: expected at most dim = 5, got (0, 6)",
    ),
    (
        "hopfield-classical",
        "sparse.dim=5 sparse.overlap_distances=[0] sparse.distances=[0,6]",
        "\n  sparse.distances: expected at most dim = 5, got (0, 6)",
    ),
    (
        "hopfield-energy",
        "steps=3 save_every=5",
        "\n  steps: expected a multiple of save_every = 5, got 3",
    ),
    ("hopfield-energy", "steps=100 save_every=30", "\n  steps: expected a multiple of save_every"),
    ("hopfield-energy", "tau_h=0.003", "\n  dt: expected at most 2.5 times the shorter of tau_v"),
    ("hopfield-energy", "tau_v=0.003", "\n  dt: expected at most 2.5 times the shorter of tau_v"),
    (
        "hopfield-feature-space",
        "batch_size=101 train_images=100",
        "\n  batch_size: expected at most train_images = 100, got 101",
    ),
    ("hopfield-feature-space", "sigma=[] rows=[] pixels=[]", "\n  sigma, rows, pixels: expected a"),
    ("hopfield-scale", "n=[10,20] queries=11", "\n  queries: expected at most the smallest n = 10"),
    ("hopfield-scale", "n=[20,40] k=21", "\n  k: expected at most the smallest n = 20, got 21"),
    (
        "hopfield-scale",
        "n=[2048,20480] block=[512,2049]",
        "\n  block: expected at most the smallest n = 2048, got (512, 2049)",
    ),
    *[
        (
            f"hopfield-{name}",
            "similarities=[manhattan,manhattan]",
            "\n  similarities: expected each entry once, got",
        )
        for name in (
            "error-threshold",
            "heteroassociation",
            "mask-robustness",
            "natural-images",
            "noise-robustness",
            "separation-capacity",
            "similarity-capacity",
        )
    ],
    *[
        (
            f"hopfield-{name}",
            "separations=[max,log,max]",
            "\n  separations: expected each entry once, got",
        )
        for name in ("natural-images", "separation-capacity")
    ],
    *[
        (
            f"hopfield-{name}",
            "negated.betas=[1.0,2.0,1]",
            "\n  negated.betas: expected each entry once, got",
        )
        for name in ("separation-capacity", "similarity-capacity")
    ],
    ("kcenter-approximation", "shapes=[[4,4]]", "fewer centers than points"),
    ("kcenter-coreset", "blobs.n=100", "\n  multiples: expected at most 25, blobs.n / (per_group"),
    ("kcenter-scaling", "entries=1", "at least those of the smallest problem, 16384"),
    ("kcenter-scaling", "sizes=[1024] centers=[2000]", "centers: expected no more centers than"),
    ("kcenter-scaling", "large=3", "\n  large: expected 0, or at least the most centers, 4, got"),
    ("kcenter-privacy-sweep", "problems.count_query.quota=[0,0]", "a center of some group"),
    ("leverage-angles", "data.names=[]", "\n  data.names: expected at least one, or a path"),
    ("leverage-cur", "data.names=[]", "\n  data.names: expected at least one, or a path"),
    ("leverage-cur", "data.names=[wine,digits]", "\n  data.names: expected one name, got ('wine'"),
    (
        "leverage-gcss",
        "planted.k=[5,6]",
        "\n  planted.k: expected as many entries as names (1), got",
    ),
    (
        "leverage-gcss",
        "planted.names=[digits,digits] planted.k=[5,6]",
        "\n  planted.names: expected each entry once, got",
    ),
    ("leverage-gcss", "data.names=[wine,wine]", "\n  data.names: expected each entry once"),
    (
        "leverage-scaling",
        "rows=[19,20000]",
        "\n  rows: expected at least 2 k = 20 rows, or as many",
    ),
    ("leverage-scaling", "reference=[7,8]", "\n  reference: expected at least 2 k = 20 rows, or"),
    ("leverage-scaling", "sharded=[7,8]", "\n  sharded: expected at least as many rows as columns"),
    ("leverage-scaling", "rows=[5]", "\n  columns: expected as many entries as rows (1), got"),
    ("leverage-scaling", "routes=[qr]", "\n  routes: expected 'gram' among them, got"),
    (
        "leverage-scca",
        "rtol=[0.1,0.2]",
        "\n  rtol: expected as many entries as data.names (1), got",
    ),
    ("ntk-kernel-regression", "pool=3", "pool: expected a divisor of the side of the images, 8"),
    ("ntk-kernel-regression", "data=fashion_mnist pool=5", "side of the images, 28, got 5"),
    (
        "ntk-condition-number",
        "convergence.widths=[16,16]",
        "\n  convergence.widths: expected each entry once, got",
    ),
    ("ntk-kernel-regression", "train=[1]", "\n  train: expected two training images or more"),
    ("hopfield-energy", "visible=[quadratic,quadratic]", "\n  visible: expected each entry once"),
    ("hopfield-mask-robustness", "kinds=[rows,rows]", "\n  kinds: expected each entry once, got"),
    ("hopfield-error-threshold", "thresholds=[50,50]", "\n  thresholds: expected each entry once"),
    ("ntk-kernel-regression", "train=[20,20]", "\n  train: expected each entry once, got"),
    ("spherical-multi-item", "items=[1,1]", "\n  items: expected each entry once, got (1, 1)"),
    ("ntk-vector-products", "n=[128,128]", "\n  n: expected each entry once"),
    ("ntk-vector-products", "n=[16,16,32] micro_batch=16", "\n  n: expected each entry once"),
    (
        "ntk-vector-products",
        "outputs=[1] n=[128,256] eigenvalues=129",
        "\n  eigenvalues: expected at most the 128 rows of the smallest kernel, got 129",
    ),
    (
        "ntk-vector-products",
        "outputs=[1,10] dense.n=2",
        "\n  eigenvalues: expected at most the 2 rows of the smallest kernel, got 3",
    ),
    (
        "ntk-vector-products",
        "micro_batch=200",
        "\n  micro_batch: expected at most the smallest n, 128, got 200",
    ),
    (
        "spherical-panorama",
        "channels=[3]",
        "bandlimits: expected as many entries as channels (1), got",
    ),
    ("spherical-panorama", "degrees=17", "at most 16 of a panorama"),
    ("spherical-panorama", "nside=7", "at most 14 of a HEALPix map"),
    ("spherical-panorama", "degrees=161 height=400 nside=90", "at most 160 of a photograph"),
    ("spherical-panorama", "bandwidth=17", "at most 16, half of height"),
    ("spherical-panorama", "heights=[25]", "multiple of 2"),
    ("spherical-panorama", "nside=12", "\n  nside: expected powers of two"),
    ("spherical-panorama", "recovery_nsides=[2,3]", "\n  recovery_nsides: expected powers of two"),
    (
        "spherical-equivariance-error",
        "trained.network=nonsense",
        "\n  trained.network: expected one of 's2cnn_204k', 's2cnn_39k', got",
    ),
    ("spherical-equivariance-error", "trained.network=s2cnn_56k", "trained.network: expected one"),
    ("spherical-equivariance-error", "trained.network=cnn_184k", "trained.network: expected one"),
    (
        "spherical-equivariance-error",
        "trained.data.grid=gauss_legendre trained.data.official_mismatch=true",
        "\n  trained.data.grid: expected a grid of as many rows as columns for official_mismatch",
    ),
    (
        "spherical-classification",
        "data.grid=gauss_legendre",
        "\n  data.grid: expected a grid of as many rows as columns for planar networks",
    ),
    ("spherical-segmentation", "data.grid=gauss_legendre", "\n  data.grid: expected a grid of as"),
    ("spherical-multi-item", "data.grid=gauss_legendre", "\n  data.grid: expected a grid of as"),
    ("spherical-multi-item", "networks=[nonsense]", "networks: expected one of"),
    ("spherical-multi-item", "networks=[s2cnn_56k]", "networks: expected one of"),
    ("spherical-multi-item", "networks=[cnn:many]", "a number of parameters"),
    ("spherical-classification", "cnns=[s2cnn_56k]", "cnns: expected one of"),
    ("spherical-classification", "s2cnns=[cnn:900]", "s2cnns: expected s2cnn and a number"),
    ("spherical-segmentation", "cnns=[cnn_139k]", "cnns: expected one of"),
    (
        "spherical-classification",
        "data.bandwidth=4",
        "\n  cnns: expected networks for bandwidth 4, got 'cnn_139k': kernels: expected a kernel",
    ),
    (
        "spherical-classification",
        "training.online_augmentation=true",
        "\n  cnn_factors: expected at most 1 with training.online_augmentation, got (0, 4)",
    ),
    (
        "spherical-segmentation",
        "training.online_augmentation=true cnn_factors=[0,1]",
        "\n  tuning_factor: expected at most 1 with training.online_augmentation, got 4",
    ),
    (
        "spherical-multi-item",
        "training.online_augmentation=true",
        "\n  copies: expected 1 with training.online_augmentation, got 2",
    ),
    ("spherical-segmentation", "data.bandwidth=6", "cnns: expected networks for bandwidth 6, got"),
    ("spherical-multi-item", "data.bandwidth=6", "\n  networks: expected networks for bandwidth 6"),
]


@pytest.mark.parametrize(("name", "sets", "message"), REFUSED)
def test_a_config_that_cannot_run_is_refused(name, sets, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        resolve(name, "smoke", [sets])


@pytest.mark.usefixtures("bad_input")  # no reporter is needed
@pytest.mark.parametrize(
    ("module", "name", "sets", "message"),
    [
        (cur, "leverage-cur", "columns=[1000]", "columns: expected one of at most 58, got"),
        (
            feature_space,
            "hopfield-feature-space",
            "code=65",
            "^code: expected at most 64, the pixels of an image, got 65",
        ),
        (
            heteroassociation,
            "hopfield-heteroassociation",
            "data.name=digits counts=[5000]",
            "^counts: expected one of at most 1797 images, got",
        ),
        (
            heteroassociation,
            "hopfield-heteroassociation",
            "data.name=digits classical.counts=[5000]",
            "^classical.counts: expected one of at most 1797 images, got",
        ),
        (fashion, "kcenter-fashion", "dims=65", "^dims: expected at most 64, the pixels of"),
        (
            privacy_sweep,
            "kcenter-privacy-sweep",
            "problems.blobs.quota=[2,2,2]",
            "^problems.blobs.quota: expected 4 numbers, one for each group, got",
        ),
        (
            multi_item,
            "spherical-multi-item",
            "items=[1,9]",
            "^canvases.size: expected at least 24, for 9 items of 8 × 8 pixels, got 16",
        ),
        (
            multi_item,
            "spherical-multi-item",
            "items=[1] tuning_items=5",
            "^canvases.size: expected at least 24, for 5 items",
        ),
        (
            multi_item,
            "spherical-multi-item",
            "canvases.overlap=true canvases.size=7",
            "^canvases.size: expected at least 8, for 2 items",
        ),
    ],
)
def test_what_does_not_fit_the_data_is_refused_when_they_are_there(
    module, name, sets, message, tmp_path
):
    config = resolve(name, preset="smoke", sets=[sets]).config
    with pytest.raises(ValueError, match=message):
        module.run(config, tmp_path, None)


@pytest.mark.usefixtures("bad_input")
def test_probes_of_one_class_are_refused():
    config = resolve("ntk-evolution", "smoke", ["examples=1 probes=2"]).config
    with pytest.raises(ValueError, match=r"^probes: expected more, .* of two classes.*, got 2"):
        evolution._cell(config, config.widths[0], 0)


@pytest.mark.parametrize("sets", ["networks=[s2cnn_39k]", "networks=[s2cnn_39k,'s2cnn:12000']"])
def test_equivariant_networks_alone_may_have_half_as_many_rows(sets):
    config = resolve("spherical-multi-item", "smoke", [f"{sets} data.grid=gauss_legendre"]).config
    assert config.data.grid == "gauss_legendre"
