"""The capacity machinery against a loop over queries; every experiment of the room end to end."""

import inspect
import json
import types

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.decomposition import PCA

from jaxlab.experiments.hopfield import heteroassociation
from jaxlab.experiments.hopfield import memories as named
from jaxlab.experiments.hopfield import study as studies
from jaxlab.experiments.hopfield.capacity import Memory, baseline_scores, capacity_curve
from jaxlab.hopfield import separation, similarity
from jaxlab.runner.execute import run
from jaxlab.runner.request import resolve

N, DIM = 23, 12
COUNTS = (1, 2, 9, 23)
THRESHOLDS = (0.05, 0.4, 1.5)


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    patterns = rng.uniform(0.05, 1.0, (N, DIM))
    queries = np.clip(np.abs(patterns + rng.normal(0, 0.35, (N, DIM))), 0, 1)
    return patterns.astype(np.float32), queries.astype(np.float32)


def slow_curve(queries, patterns, targets, score, separate, *, normalize, activation=None):
    """What the paper's code does, one query at a time, in float64."""
    correct = np.zeros((len(COUNTS), len(THRESHOLDS)))
    recalled = np.zeros(len(COUNTS))
    for row, count in enumerate(COUNTS):
        for index in range(count):
            scores = np.array(
                [
                    score(queries[index].astype(float), pattern.astype(float))
                    for pattern in patterns[:count]
                ]
            )
            if normalize:
                scores = scores / scores.sum()
            weights = separate(scores)
            if normalize:
                weights = weights / weights.sum()
            output = weights @ targets[:count].astype(float)
            if activation is not None:
                output = activation(output)
            error = np.square(output - targets[index]).sum()
            correct[row] += error <= np.array(THRESHOLDS)
            recalled[row] += np.argmax(weights) == index
    counts = np.array(COUNTS)
    return correct / counts[:, None], recalled / counts


def one_hot(scores):
    weights = np.zeros(len(scores))
    weights[np.argmax(scores)] = 1
    return weights


def softmax(scores, beta=1000.0):
    weights = np.exp(beta * (scores - scores.max()))
    return weights / weights.sum()


def kl(p, q):
    p, q = p / p.sum(), q / q.sum()
    return np.sum(p * np.log((p + 1e-4) / (q + 1e-4)))


# name -> similarity, separation, score of one memory, separation of one query's scores
CASES = {
    "manhattan-max": ("manhattan", "max", lambda q, m: 1 / np.abs(q - m).sum(), one_hot),
    "euclidean-power": (
        "euclidean",
        "power_10",
        lambda q, m: 1 / np.square(q - m).sum(),
        lambda s: s**10,
    ),
    "dot-softmax": ("dot_product", "softmax", lambda q, m: (q / q.sum()) @ (m / m.sum()), softmax),
    "manhattan-log": ("manhattan", "log", lambda q, m: 1 / np.abs(q - m).sum(), np.log),
    "kl-identity": ("kl_divergence", "identity", lambda q, m: 1 / kl(m, q), lambda s: s),
    "published-js-max": (
        "published_jensen_shannon",
        "max",
        lambda q, m: 1 / (0.5 / kl(m, q) + 0.5 / kl(q, m)),
        one_hot,
    ),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("task", ["auto", "hetero"])
def test_curve_equals_the_loop_over_queries(images, case, task):
    patterns, queries = images
    targets = patterns if task == "auto" else patterns[:, DIM // 2 :]
    name, separated_by, score, separate = CASES[case]
    memory = named.published_memory(name, separated_by)
    curve = capacity_curve(
        jnp.asarray(queries),
        jnp.asarray(patterns),
        jnp.asarray(targets),
        jnp.asarray(COUNTS),
        jnp.asarray(THRESHOLDS, jnp.float32),
        memory=memory,
        tile=10,
    )
    start = COUNTS.index(2) if separated_by == "log" else 0  # log 1 / Σ log 1 is 0/0
    with np.errstate(invalid="ignore"):
        correct, recalled = slow_curve(queries, patterns, targets, score, separate, normalize=True)
    np.testing.assert_allclose(curve.correct[start:], correct[start:], atol=1e-6)
    np.testing.assert_allclose(curve.recalled[start:], recalled[start:], atol=1e-6)
    assert 0 < correct.mean() < 1


def test_activation_and_plain_scores(images):
    patterns, queries = (np.where(array > 0.5, 1.0, -1.0).astype(np.float32) for array in images)

    def sign(field):
        return jnp.where(field >= 0, 1.0, -1.0)

    memory = Memory(similarity.dot_product, separation.identity, activation=sign)
    limits = jnp.asarray([4.5, 8.5, 16.5])
    curve = capacity_curve(
        *(jnp.asarray(array) for array in (queries, patterns, patterns)),
        jnp.asarray(COUNTS),
        limits,
        memory=memory,
    )
    for row, count in enumerate(COUNTS):
        field = queries[:count] @ patterns[:count].T @ patterns[:count]
        error = np.square(np.where(field >= 0, 1, -1) - patterns[:count]).sum(axis=1)
        expected = (error[:, None] <= np.asarray(limits)).mean(axis=0)
        np.testing.assert_allclose(curve.correct[row], expected, atol=1e-6)


def nearness(query, memories, *, where=None):
    """A reciprocal distance that does not say what it is made of."""
    return similarity.reciprocal(similarity.manhattan)(query, memories, where=where)


nearness.takes_where = True


def plain(query, memories):
    """A negated distance that does not say what its scores can be."""
    return -jnp.abs(query[..., None, :] - memories).sum(-1)


RELATIVE = {
    "reciprocal": similarity.reciprocal(similarity.manhattan),
    "of a plain function": similarity.reciprocal(plain),
    "normalized": similarity.sum_normalized(similarity.reciprocal(similarity.manhattan)),
    "of its own": nearness,
}


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("name", RELATIVE)
def test_memories_that_are_not_stored_yet_change_nothing(name, normalize):
    """The second query is at distance 0 of the third pattern, which is not among the first two."""
    patterns = jnp.asarray([[0.0, 1.0], [1.0, 1.0], [1.0, 0.0]])
    queries = jnp.asarray([[0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
    memory = Memory(RELATIVE[name], separation.maximum(), normalize_scores=normalize)
    counts, limits = jnp.asarray([1, 2, 3]), jnp.asarray([0.1])
    curve = capacity_curve(queries, patterns, patterns, counts, limits, memory=memory)
    np.testing.assert_allclose(curve.recalled, [1, 1, 2 / 3], atol=1e-6)
    np.testing.assert_allclose(curve.correct[:, 0], [1, 1, 2 / 3], atol=1e-6)


@pytest.mark.parametrize("tile", [1, 7, N, 128])
def test_tile_changes_nothing(images, tile):
    patterns, queries = (jnp.asarray(array) for array in images)
    memory = named.published_memory("manhattan", "quartic")
    limits, counts = jnp.asarray(THRESHOLDS, jnp.float32), jnp.asarray(COUNTS)
    reference = capacity_curve(queries, patterns, patterns, counts, limits, memory=memory, tile=5)
    tiled = capacity_curve(queries, patterns, patterns, counts, limits, memory=memory, tile=tile)
    np.testing.assert_allclose(tiled.correct, reference.correct, atol=1e-6)
    np.testing.assert_allclose(tiled.recalled, reference.recalled, atol=1e-6)


def test_weights_that_are_nan_recall_nothing(images):
    patterns, queries = (jnp.asarray(array) for array in images)
    memory = Memory(similarity.manhattan, lambda scores: jnp.nan * scores)
    curve = capacity_curve(
        queries, patterns, patterns, jnp.asarray(COUNTS), jnp.asarray([1e9]), memory=memory
    )
    assert curve.recalled.tolist() == [0.0] * len(COUNTS)
    assert not curve.correct.any()


def test_one_compilation_serves_all_counts(images):
    patterns, queries = (jnp.asarray(array) for array in images)
    traced = []

    def counted(query, memories):
        traced.append(query.shape)
        return similarity.manhattan(query, memories)

    memory = Memory(counted, separation.maximum())
    limits = jnp.asarray(THRESHOLDS, jnp.float32)
    for counts in ([1, 5, 23], [2, 3, 4], [7, 8, 9]):
        capacity_curve(queries, patterns, patterns, jnp.asarray(counts), limits, memory=memory)
    assert len(traced) == 1


def test_bad_arguments_are_refused(images, bad_input):
    patterns, queries = (jnp.asarray(array) for array in images)
    limits = jnp.asarray(THRESHOLDS, jnp.float32)
    memory = named.published_memory("manhattan")

    def curve(**changes):
        arguments = {
            "queries": queries,
            "memories": patterns,
            "projection": patterns,
            "counts": jnp.asarray([2]),
            "thresholds": limits,
            "memory": memory,
        }
        return capacity_curve(**(arguments | changes))

    with pytest.raises(ValueError, match=r"queries: expected shape \[23, 12\]"):
        curve(queries=queries[:5])
    with pytest.raises(ValueError, match="projection"):
        curve(projection=patterns[:5])
    with pytest.raises(ValueError, match="counts: expected dtype integer"):
        curve(counts=jnp.asarray([2.0]))
    for count in (0, 24):
        with pytest.raises(ValueError, match="counts: expected a finite number >= 1 and <= 23"):
            curve(counts=jnp.asarray([count]))
    with pytest.raises(ValueError, match="tile"):
        curve(tile=0)


@pytest.mark.parametrize("shape", [(30, 8), (8, 30)])
def test_baselines_equal_scikit_learns_pca(shape):
    rng = np.random.default_rng(1)
    stored = (rng.normal(size=(shape[0], 4)) @ rng.normal(size=(4, shape[1]))).astype(np.float32)
    stored += 0.3 * rng.normal(size=shape).astype(np.float32)
    queries = stored + 0.2 * rng.normal(size=(2, *shape)).astype(np.float32)
    limits = np.array([0.5, 2.0, 8.0, 40.0])
    scores = baseline_scores(
        jnp.asarray(queries), jnp.asarray(stored), jnp.asarray(limits, jnp.float32)
    )
    model = PCA(n_components=0.9, svd_solver="full").fit(stored)
    for level in range(2):
        output = model.inverse_transform(model.transform(queries[level]))
        errors = {
            "pca": np.square(output - stored).sum(axis=1),
            "mean": np.square(stored.mean(axis=0) - stored).sum(axis=1),
        }
        for name, error in errors.items():
            expected = (error[:, None] <= limits).mean(axis=0)
            np.testing.assert_allclose(getattr(scores, name)[level], expected, atol=1e-6)


def test_blocks_are_disjoint_where_they_fit_and_distinct_where_not():
    fitting = studies.select_blocks(20, 5, 4, seed=3)
    assert np.concatenate(fitting).tolist() == list(range(20))
    drawn = studies.select_blocks(20, 15, 4, seed=3)
    assert all(len(set(block.tolist())) == 15 for block in drawn)
    assert len({tuple(block) for block in drawn}) == 4
    again = studies.select_blocks(20, 15, 4, seed=3)
    np.testing.assert_array_equal(drawn, again)
    assert not np.array_equal(drawn, studies.select_blocks(20, 15, 4, seed=4))


def common(**changes):
    values = {
        "seed": 0,
        "seeds": 2,
        "data": {"name": "digits"},
        "threshold": 50.0,
        "threshold_mode": "scaled",
    }
    return studies.Common(**(values | changes))


@pytest.mark.parametrize(
    ("mode", "expected"), [("absolute", 50), ("scaled", 50 * 64 / 784), ("published", 612.5)]
)
def test_threshold_modes(mode, expected):
    study = studies.Study(common(threshold_mode=mode), [10])
    assert study.threshold == pytest.approx(expected)


def test_counts_beyond_the_data_are_left_out_and_said_so():
    study = studies.Study(common(), [10, 1000, 5000])
    assert study.counts == (10, 1000)
    assert any("[5000] are left out" in note for note in study.notes)
    assert any("draws its own block" in note for note in study.notes)
    with pytest.raises(ValueError, match="counts: expected one of at most 1797"):
        studies.Study(common(), [5000])


def test_draws_are_paired_and_depend_on_the_seed_and_level_alone():
    how = studies.Corruption("noise", 0.3)
    first, second = studies.Study(common(), [50]), studies.Study(common(), [20, 50])
    np.testing.assert_array_equal(first.queries(1, how), second.queries(1, how))
    others = [
        studies.Study(common(seed=1), [50]).queries(0, how) - first.patterns(0),
        first.queries(1, how) - first.patterns(1),
        first.queries(0, studies.Corruption("pixels", 0.3)) - first.patterns(0),
    ]
    noise = first.queries(0, how) - first.patterns(0)
    assert all(float(jnp.abs(noise - other).max()) > 0.1 for other in others)


def test_a_noise_that_is_next_to_none_turns_no_bipolar_pixel():
    """One pixel in thirty of the digits is exactly ½."""
    study = studies.Study(common(), [50])
    patterns = study.patterns(0)
    assert float(jnp.mean(patterns == 0.5)) > 0.03
    queries = study.queries(0, studies.Corruption("noise", 1e-7))
    assert bool((queries != patterns).any())
    bipolar = heteroassociation._bipolar
    np.testing.assert_array_equal(bipolar(queries), bipolar(patterns))


class Verdicts:
    """A reporter that keeps verdicts alone."""

    def __init__(self):
        self.ours, self.holds = {}, {}

    def verdict(self, claim, *, ours, holds):
        self.ours[claim], self.holds[claim] = ours, holds


# experiment -> claim, a value that its criterion does not name, what the verdict says is needed
CRITERIA = {
    "hopfield-separation-capacity": (
        "sharp-separations-dominate",
        "separation_parameter=10.0",
        "softmax(1000)",
    ),
    "hopfield-natural-images": (
        "manhattan-under-row-masks",
        "published_threshold=50.0",
        "published_threshold 60",
    ),
    "hopfield-heteroassociation": (
        "classical-holds-few",
        "classical.noise=0.3",
        "classical.noise ≤ 1e-06",
    ),
}


@pytest.mark.usefixtures("bad_input")  # stand-ins take the place of study and reporter
@pytest.mark.parametrize("name", CRITERIA)
def test_a_verdict_needs_what_its_criterion_names(name):
    claim, change, needed = CRITERIA[name]
    for sets in ([], [change]):
        request = resolve(name, sets=sets)
        config, module = request.config, inspect.getmodule(request.experiment.run)
        counts = tuple(sorted({2, 50, 100, 500, *config.counts}))
        study = types.SimpleNamespace(counts=counts, title="digits")
        shape = (20, 10, 2, len(counts))
        ones = studies.Measured(np.ones((*shape, 3)), np.ones(shape))
        reporter = Verdicts()
        if name == "hopfield-separation-capacity":
            shape = (len(config.separations), *shape[1:])
            result = studies.Measured(np.ones((*shape, 3)), np.ones(shape))
            module._verdicts(reporter, study, config, {"manhattan": result})
            assert reporter.holds["higher-powers-hold-more"] is False  # it has no softmax
        elif name == "hopfield-natural-images":
            module._verdicts(reporter, study, config, ones, None)
        else:
            module._verdicts(reporter, study, config, [*counts], [*counts], ones, ones, ones)
        if sets:
            assert reporter.holds[claim] is None
            assert needed in reporter.ours[claim]
        else:
            assert reporter.holds[claim] is False


def test_confusable_images():
    study = studies.Study(common(), [40])
    patterns = np.asarray(study.patterns(0))
    near = [
        min(np.square(one - other).sum() for j, other in enumerate(patterns) if j != i)
        for i, one in enumerate(patterns)
    ]
    assert study.confusable() == pytest.approx(np.mean(np.array(near) <= study.threshold))
    assert 0 < study.confusable() < 1


def test_lost_pixels_of_every_mask():
    study = studies.Study(common(), [5])
    shape = (8, 8)
    for kind, lost in (("rows", 32), ("border", 48), ("centre", 16)):
        ones = jnp.ones((1, 64))
        masked = studies.corrupt(
            study.key(0, studies.Corruption(kind, 0.5)), ones, studies.Corruption(kind, 0.5), shape
        )
        assert int((masked == 0).sum()) == lost


# a small config of each experiment, on digits or photographs: no network
TINY = {
    "hopfield-similarity-capacity": 'similarities=["manhattan","published_jensen_shannon"]',
    "hopfield-separation-capacity": 'similarities=["manhattan"] separations=["log","max"]',
    "hopfield-noise-robustness": 'similarities=["manhattan","dot_product"]',
    "hopfield-mask-robustness": 'similarities=["manhattan","dot_product"]',
    "hopfield-heteroassociation": 'similarities=["dot_product"]',
    "hopfield-error-threshold": 'similarities=["manhattan","dot_product"]',
    "hopfield-natural-images": 'similarities=["manhattan"] separations=["max"]',
}


def end_to_end(name, runs, sets):
    outcome = run(name, preset="smoke", sets=sets, runs=runs)
    results = json.loads((outcome.path / "results.json").read_text())
    assert results["status"] == "finished", results["error"]
    for figure in results["figures"]:
        assert (outcome.path / "figures" / f"{figure}.png").stat().st_size > 5000
    report = (outcome.path / "report.md").read_text()
    assert all(caption in report for caption in results["figures"].values())
    assert any(table.endswith("correct") for table in results["tables"])
    assert "index recall" in report.lower()
    assert all(claim["ours"] for claim in results["claims"])
    assert all(0 <= value <= 1 for value in results["scalars"].values())
    return results


QUICK = ("hopfield-similarity-capacity", "hopfield-mask-robustness", "hopfield-natural-images")


@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in TINY]
)
def test_a_small_run_reports_and_repeats(name, tmp_path):
    first = end_to_end(name, tmp_path / "a", [TINY[name], "seeds=2"])
    if name == "hopfield-mask-robustness":
        assert first == end_to_end(name, tmp_path / "b", [TINY[name], "seeds=2"])


@pytest.mark.slow
@pytest.mark.parametrize("name", TINY)
def test_the_smoke_preset_runs(name, tmp_path):
    end_to_end(name, tmp_path, [])


@pytest.mark.slow
def test_the_claims_are_judged_on_digits(tmp_path):
    outcome = run("hopfield-similarity-capacity", sets=["data.name=digits"], runs=tmp_path)
    verdicts = {claim["id"]: claim["holds"] for claim in outcome.results.judged_claims()}
    # 64 pixels and a lax threshold: the images are confused, but for images close enough
    assert verdicts["manhattan-over-dot-index"] is True
    assert verdicts["manhattan-over-dot"] is False
