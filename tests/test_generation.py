"""Metrics of generated images: worked out by hand, and by construction of the clouds."""

import math

import pytest
import scipy.linalg
import scipy.spatial
import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor
from torch.testing import assert_close

import aecore.metrics.generation as module
from aecore.metrics.generation import (
    bootstrap,
    density_coverage,
    frechet_distance,
    gaussian_frechet,
    precision_recall,
    sharpness,
    variety,
)
from aecore.metrics.latents import active_units


def test_sharpness_by_hand():
    image = torch.tensor([[[[0.0, 1.0], [0.0, 3.0]]]])
    # across: 1, 3 → mean square 5;  down: 0, 2 → mean square 2
    assert sharpness(image).tolist() == [7.0]


def test_sharpness_of_an_even_image_is_0_and_of_an_edge_is_not_moved_by_it():
    assert sharpness(torch.full((2, 1, 5, 5), 0.7)).tolist() == [0.0, 0.0]
    edges = torch.zeros(2, 1, 8, 8)
    edges[0, :, :, 3:] = 1
    edges[1, :, :, 5:] = 1
    first, second = sharpness(edges)
    assert_close(first, second)


def test_blur_lowers_sharpness_and_noise_raises_it():
    edge = torch.zeros(1, 1, 8, 8)
    edge[..., 4:] = 1
    blurred = torch.nn.functional.avg_pool2d(edge, 3, stride=1, padding=1)
    noisy = edge + 0.3 * torch.randn(edge.shape, generator=torch.Generator().manual_seed(0))
    assert sharpness(blurred) < sharpness(edge) < sharpness(noisy)


def test_variety_is_the_summed_variance():
    images = torch.randn(50, 3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert variety(images) == pytest.approx(images.var(0, correction=0).sum().item())
    assert variety(images[:1].expand(9, 3, 4)) == pytest.approx(0, abs=1e-12)
    assert variety(2 * images) == pytest.approx(4 * variety(images))


def test_active_units_are_those_whose_mean_moves():
    means = torch.tensor([[0.0, 1.0, 0.1], [0.0, -1.0, -0.1], [0.0, 1.0, 0.1], [0.0, -1.0, -0.1]])
    # variances 0, 1 and 0.01
    assert active_units(means, threshold=0.009).tolist() == [False, True, True]
    assert active_units(means, threshold=0.011).tolist() == [False, True, False]
    assert active_units(means + 5, threshold=0.011).tolist() == [False, True, False]


def test_a_single_example_has_no_variance():
    with pytest.raises(ValueError, match=r"^means must have at least 2 rows, got 1"):
        active_units(torch.ones(1, 3))


@pytest.mark.parametrize("threshold", [-1, math.nan, math.inf])
def test_a_threshold_is_a_number_from_0(threshold):
    with pytest.raises(ValueError, match=r"^threshold must be"):
        active_units(torch.ones(2, 3), threshold=threshold)


@pytest.mark.parametrize("shape", [(2, 1, 1, 5), (2, 1, 5, 1)])
def test_an_image_needs_a_next_pixel(shape):
    with pytest.raises(ValueError, match=r"^images must be at least 2 pixels high and wide"):
        sharpness(torch.ones(shape))


# clouds ---------------------------------------------------------------------------------------


def cloud(rows: int, d: int = 5, seed: int = 0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(rows, d, generator=rng, dtype=torch.float64)


def covariance(d: int, rank: int, seed: int = 0) -> Tensor:
    factor = cloud(rank, d, seed)
    return factor.T @ factor


def rotation(d: int = 5) -> Tensor:
    return torch.linalg.qr(cloud(d, d, seed=9)).Q


def classes(rows: int, names: range, seed: int) -> Tensor:
    """Ten clusters far apart, one a class."""
    points = cloud(rows * len(names), 10, seed)
    return points + 40 * torch.eye(10, dtype=torch.float64)[list(names)].repeat(rows, 1)


def means(real: Tensor, generated: Tensor) -> list[float]:
    terms = (*precision_recall(real, generated), *density_coverage(real, generated))
    return [term.mean().item() for term in terms]


# the Fréchet distance ---------------------------------------------------------------------------


def test_gaussian_frechet_in_one_dimension():
    # (μ₁ - μ₂)² + (σ₁ - σ₂)²
    one, two = torch.tensor([1.0]), torch.tensor([[9.0]])
    assert gaussian_frechet(one, two, -one, two * 4) == pytest.approx(4 + 9, rel=1e-14)


def test_gaussian_frechet_of_commuting_covariances_is_the_distance_of_their_roots():
    axes = rotation()
    variances, variances_2 = torch.arange(5).double(), torch.arange(5, 0, -1).double() ** 2
    expected = (variances.sqrt() - variances_2.sqrt()).square().sum().item()
    mean = torch.zeros(5, dtype=torch.float64)
    found = gaussian_frechet(
        mean, axes @ variances.diag() @ axes.T, mean, axes @ variances_2.diag() @ axes.T
    )
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_gaussian_frechet_is_that_of_the_matrix_root(seed):
    first, second = covariance(6, 9, seed), covariance(6, 9, seed + 10)
    mean, mean_2 = cloud(1, 6, seed)[0], cloud(1, 6, seed + 1)[0]
    root = scipy.linalg.sqrtm(first.numpy() @ second.numpy())
    expected = (
        (mean - mean_2).square().sum() + first.trace() + second.trace() - 2 * root.trace().real
    )
    assert gaussian_frechet(mean, first, mean_2, second) == pytest.approx(expected.item(), rel=1e-9)


def test_gaussian_frechet_is_exact_where_covariances_are_singular():
    """Planes that meet in one line; and one covariance against itself, to the last digits."""
    mean = torch.zeros(3, dtype=torch.float64)
    first = torch.diag(torch.tensor([4.0, 1.0, 0.0])).double()
    second = torch.diag(torch.tensor([0.0, 9.0, 16.0])).double()
    assert gaussian_frechet(mean, first, mean, second) == pytest.approx(4 + 4 + 16, rel=1e-14)
    thin, mean = covariance(64, 3), torch.zeros(64, dtype=torch.float64)
    assert gaussian_frechet(mean, thin, mean, thin) == pytest.approx(
        0, abs=1e-12 * thin.trace().item()
    )
    nothing = torch.zeros(64, 64)
    assert gaussian_frechet(mean, thin, mean, nothing) == pytest.approx(thin.trace().item())


def test_gaussian_frechet_refuses_what_is_no_covariance():
    mean, eye = torch.zeros(2), torch.eye(2)
    with pytest.raises(ValueError, match=r"^covariance_2 must be symmetric"):
        gaussian_frechet(mean, eye, mean, torch.tensor([[1.0, 0.5], [0.0, 1.0]]))
    with pytest.raises(ValueError, match=r"^covariance must have no negative variance, got -1"):
        gaussian_frechet(mean, -eye, mean, eye)


@pytest.mark.parametrize("bad", [torch.zeros(3), torch.eye(3), torch.eye(2)[0], torch.tensor(1.0)])
@pytest.mark.parametrize("name", ["mean", "covariance", "mean_2", "covariance_2"])
def test_gaussian_frechet_refuses_other_shapes_by_name(name, bad):
    mean, eye = torch.zeros(2), torch.eye(2)
    good = {"mean": mean, "covariance": eye, "mean_2": mean, "covariance_2": eye}
    if bad.shape == good[name].shape:
        bad = bad * math.nan
    elif name == "mean" and bad.ndim == 1:  # another d, which the covariance does not have
        name = "covariance"
        good["mean"] = bad
        bad = eye
    with pytest.raises(ValueError, match=rf"^{name} must (have shape|be finite)"):
        gaussian_frechet(**good | {name: bad})


def test_frechet_distance_of_a_cloud_to_itself_is_0_and_of_a_shifted_one_its_square():
    real, shift = cloud(200), torch.tensor([3.0, 0, 0, 4, 0]).double()
    assert frechet_distance(real, real) == pytest.approx(0, abs=1e-12)
    assert frechet_distance(real, real + shift) == pytest.approx(25, rel=1e-12)
    assert frechet_distance(real, 3 * real - 2 * real.mean(0)) == pytest.approx(
        4 * real.var(0).sum().item(), rel=1e-12
    )


def test_frechet_distance_is_symmetric_and_knows_no_axes():
    real, generated = cloud(100), 2 * cloud(80, seed=1) + 1
    expected = frechet_distance(real, generated)
    turn, move = rotation(), cloud(1, seed=2)
    assert frechet_distance(generated, real) == pytest.approx(expected, rel=1e-12)
    moved = frechet_distance(real @ turn + move, generated @ turn + move)
    assert moved == pytest.approx(expected, rel=1e-12)
    assert frechet_distance(3 * real, 3 * generated) == pytest.approx(9 * expected, rel=1e-12)


def test_frechet_distance_needs_no_more_rows_than_two():
    real, generated = torch.eye(64)[:2], torch.eye(64)[2:7]
    assert math.isfinite(frechet_distance(real, generated))
    with pytest.raises(ValueError, match=r"^generated must have at least 2 rows, got 1"):
        frechet_distance(real, generated[:1])


def test_frechet_distance_takes_single_precision_as_double():
    real, generated = cloud(300).float() + 1000, cloud(300, seed=1).float() + 1000
    expected = frechet_distance(real.double(), generated.double())
    assert frechet_distance(real, generated) == expected


def test_the_floor_falls_as_one_over_the_number():
    floors = []
    for rows in (100, 400):
        pairs = [(cloud(rows, 16, s), cloud(rows, 16, s + 50)) for s in range(20)]
        floors.append(sum(frechet_distance(*pair) for pair in pairs) / 20)
    assert floors[0] / floors[1] == pytest.approx(4, rel=0.15)


# neighbours -------------------------------------------------------------------------------------


def test_a_cloud_against_itself():
    real = cloud(120)
    assert means(real, real) == [1, 1, 1, 1]
    far = real.float() + 1000  # where distances by products have lost their digits
    assert means(far, far) == [1, 1, 1, 1]


def test_clouds_that_do_not_touch():
    assert means(cloud(50), cloud(60, seed=1) + 100) == [0, 0, 0, 0]


def test_neighbours_by_hand():
    real = torch.tensor([[0.0], [1.0], [3.0]])  # radii at k = 1: 1, 1, 2
    generated = torch.tensor([[2.0], [5.0], [9.0], [10.0]])  # radii 3, 3, 1, 1
    terms = precision_recall(real, generated, k=1)
    assert terms.precision.tolist() == [1, 1, 0, 0]  # 5 lies on the edge of the ball of 3
    assert terms.recall.tolist() == [1, 1, 1]
    terms = density_coverage(real, generated, k=1)
    assert terms.density.tolist() == [1, 0, 0, 0]  # edges are outside: only the ball of 3
    assert terms.coverage.tolist() == [0, 0, 1]
    wider = density_coverage(real, generated, k=2)  # radii 3, 2, 3
    assert wider.density.tolist() == [1.5, 0.5, 0, 0]
    assert wider.coverage.tolist() == [1, 1, 1]


def test_neighbours_are_those_of_scikit_learn(monkeypatch):
    real, generated = cloud(90), cloud(70, seed=1) * 1.3
    monkeypatch.setattr(module, "BLOCK", 32)  # several blocks, the last one shorter
    radii = NearestNeighbors(n_neighbors=5).fit(real).kneighbors()[0][:, -1]
    apart = scipy.spatial.distance.cdist(real, generated)
    found = density_coverage(real, generated, k=5)
    assert_close(found.density, torch.tensor((apart < radii[:, None]).sum(0) / 5))
    assert found.coverage.tolist() == (apart.min(1) < radii).tolist()
    found = precision_recall(real, generated, k=5)
    assert found.precision.tolist() == (apart <= radii[:, None]).any(0).tolist()
    radii = NearestNeighbors(n_neighbors=5).fit(generated).kneighbors()[0][:, -1]
    assert found.recall.tolist() == (apart <= radii).any(1).tolist()


def test_blocks_change_nothing(monkeypatch):
    real, generated = cloud(101), cloud(64, seed=1)
    whole = (*precision_recall(real, generated), *density_coverage(real, generated))
    monkeypatch.setattr(module, "BLOCK", 7)
    parts = (*precision_recall(real, generated), *density_coverage(real, generated))
    for one, other in zip(whole, parts, strict=True):
        assert torch.equal(one, other)


def test_a_turn_a_shift_and_a_scale_of_both_change_nothing():
    real, generated = cloud(150), cloud(120, seed=1) * 1.5
    assert means(4 * real @ rotation() - 7, 4 * generated @ rotation() - 7) == means(
        real, generated
    )


def test_dropped_classes_lower_recall_and_coverage_only():
    real = classes(40, range(10), seed=0)
    whole = means(real, classes(40, range(10), seed=1))
    half = means(real, classes(80, range(5), seed=2))
    precision, recall, density, coverage = half
    assert precision > whole[0] - 0.05
    assert density > whole[2] - 0.1
    assert recall == pytest.approx(whole[1] / 2, abs=0.06)
    assert coverage == pytest.approx(whole[3] / 2, abs=0.06)


def test_noise_lowers_precision_and_density_only():
    """Half of the generated is far from everything; the other half covers as before."""
    real, generated = classes(60, range(10), seed=0), classes(60, range(10), seed=1)
    whole = means(real, generated)
    noise = 200 * cloud(600, 10, seed=3)
    precision, recall, density, coverage = means(real, torch.cat([generated, noise]))
    assert precision == pytest.approx(whole[0] / 2, abs=0.02)
    assert density == pytest.approx(whole[2] / 2, abs=0.02)
    assert recall >= whole[1]  # wide balls around noise even raise it
    assert coverage >= whole[3]


def test_one_good_image_is_precise_and_covers_little():
    real = cloud(200)
    precision, recall, density, coverage = means(real, real[:1].expand(50, 5))
    assert precision == 1
    assert density > 0
    assert recall == 1 / 200  # the balls of a cloud of one point have no size
    assert coverage < 0.1


@pytest.mark.parametrize(("rows", "others", "k"), [(300, 300, 5), (300, 150, 3), (100, 300, 1)])
@pytest.mark.parametrize("d", [1, 8])
def test_the_floor_of_density_and_coverage_is_known(rows, others, k, d):
    found = [
        density_coverage(cloud(rows, d, seed), cloud(others, d, seed + 100), k)
        for seed in range(20)
    ]
    density = torch.stack([terms.density.mean() for terms in found])
    coverage = torch.stack([terms.coverage.mean() for terms in found])
    missed = math.prod((rows - 1 - i) / (rows + others - 1 - i) for i in range(k))
    for values, expected in ((density, 1), (coverage, 1 - missed)):
        error = values.std().item() / math.sqrt(20)
        assert values.mean().item() == pytest.approx(expected, abs=4 * error)


@pytest.mark.parametrize("function", [precision_recall, density_coverage])
def test_k_is_a_number_of_neighbours(function):
    real, generated = cloud(5), cloud(9, seed=1)
    function(real, generated, k=4)
    with pytest.raises(ValueError, match=r"^real must have at least 6 rows.*got 5"):
        function(real, generated, k=5)
    with pytest.raises(ValueError, match=r"^k must be at least 1, got 0"):
        function(real, generated, k=0)
    with pytest.raises(TypeError, match=r"^k must be an integer, got float"):
        function(real, generated, k=3.0)


def test_recall_needs_neighbours_among_the_generated_and_coverage_does_not():
    with pytest.raises(ValueError, match=r"^generated must have at least 4 rows, got 3"):
        precision_recall(cloud(9), cloud(3))
    assert density_coverage(cloud(9), cloud(1)).density.shape == (1,)


@pytest.mark.parametrize("function", [frechet_distance, precision_recall, density_coverage])
def test_two_clouds_are_of_one_kind(function):
    with pytest.raises(TypeError, match=r"^generated must hold torch.float64, as real does, got"):
        function(cloud(9), cloud(9).float())
    with pytest.raises(ValueError, match=r"^generated must have shape \(M, 5\), got \(9, 4\)"):
        function(cloud(9), cloud(9, 4))


# the bootstrap ----------------------------------------------------------------------------------


def fresh(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_bootstrap_of_a_mean_is_its_standard_error():
    sample = cloud(400, 1).flatten()
    low, high = bootstrap(torch.mean, sample, generator=fresh(), draws=2000)
    error = sample.std(correction=0).item() / 20
    assert low == pytest.approx(sample.mean().item() - 1.96 * error, abs=0.2 * error)
    assert high == pytest.approx(sample.mean().item() + 1.96 * error, abs=0.2 * error)


def test_the_bootstrap_is_drawn_from_the_generator_alone():
    sample = cloud(50)
    first = bootstrap(frechet_distance, sample, sample + 1, generator=fresh(), draws=20)
    torch.manual_seed(5)
    state = torch.random.get_rng_state()
    assert bootstrap(frechet_distance, sample, sample + 1, generator=fresh(), draws=20) == first
    assert torch.equal(torch.random.get_rng_state(), state)
    assert bootstrap(frechet_distance, sample, sample + 1, generator=fresh(1), draws=20) != first


def test_a_lower_level_is_a_shorter_interval_inside():
    sample = cloud(50)
    wide = bootstrap(torch.mean, sample, generator=fresh(), level=0.9)
    short = bootstrap(torch.mean, sample, generator=fresh(), level=0.5)
    assert wide.low < short.low < short.high < wide.high
    all_ = bootstrap(torch.mean, sample, generator=fresh(), level=1)
    assert all_.low < wide.low < wide.high < all_.high


def test_the_interval_of_a_frechet_distance_holds_what_other_samples_give():
    """Of 60 samples, about 95 % of the intervals hold the mean over many of the same sizes."""
    real = cloud(1000, 3, seed=1000)

    def drawn(seed: int) -> Tensor:
        return 1.5 * cloud(100, 3, seed) + 0.7

    def distance(generated: Tensor) -> float:
        return frechet_distance(real, generated)

    expected = sum(distance(drawn(seed)) for seed in range(100, 500)) / 400
    held = 0
    for seed in range(60):
        low, high = bootstrap(distance, drawn(seed), generator=fresh(seed), draws=100)
        held += low <= expected <= high
    assert 51 <= held <= 60


def test_the_bias_of_drawing_twice_is_not_in_the_interval():
    """At the floor the drawn distances are all above the distance; the interval is around it."""
    real, generated = cloud(100, 20), cloud(100, 20, seed=1)
    value = frechet_distance(real, generated)
    low, high = bootstrap(frechet_distance, real, generated, generator=fresh(), draws=50)
    assert low < value < high


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        ({"statistic": 3}, TypeError, "statistic must be a function, got int"),
        ({"sample": None}, TypeError, r"samples\[0\] must be a torch.Tensor, got None"),
        ({"sample": torch.tensor(1.0)}, ValueError, r"samples\[0\] must have rows"),
        ({"sample": torch.ones(0, 2)}, ValueError, r"samples\[0\] must not be empty"),
        ({"generator": 0}, TypeError, "generator must be Generator, got int"),
        ({"draws": 1}, ValueError, "draws must be at least 2, got 1"),
        ({"level": 0}, ValueError, "level must be greater than 0, got 0"),
        ({"level": 1.1}, ValueError, "level must be in .*, got 1.1"),
    ],
)
def test_the_bootstrap_refuses_bad_input(change, error, told):
    options = {"generator": fresh(), "draws": 10, "level": 0.9} | change
    statistic = options.pop("statistic", torch.mean)
    sample = options.pop("sample", torch.ones(4))
    with pytest.raises(error, match=f"^{told}"):
        bootstrap(statistic, sample, **options)


def test_the_bootstrap_needs_a_sample():
    with pytest.raises(ValueError, match=r"^samples must be at least one tensor, got none"):
        bootstrap(torch.mean, generator=fresh())
