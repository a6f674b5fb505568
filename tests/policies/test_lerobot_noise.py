"""Noise that belongs to a batch's rows: every way in which torch draws, held against torch itself for one row."""

import threading
from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture(scope="module")
def torch(need: Callable[[str], None]) -> Any:
    need("torch")
    import torch

    return torch


SEEDS = [4, 9, 2**63 + 1]
DRAWS: dict[str, Callable[[Any, int], Any]] = {
    "randn": lambda torch, n: torch.randn(n, 3),
    "randn of a tuple": lambda torch, n: torch.randn((n, 3), dtype=torch.float64),
    "randn of a size": lambda torch, n: torch.randn(size=(n, 2, 3)),
    "randn of two rows each": lambda torch, n: torch.randn(torch.Size((2 * n, 3))),
    "rand": lambda torch, n: torch.rand(n, 3),
    "randint": lambda torch, n: torch.randint(5, (n, 20)),
    "randint from": lambda torch, n: torch.randint(2, 50, (n, 4)),
    "randint named": lambda torch, n: torch.randint(low=2, high=50, size=(n, 4)),
    "normal": lambda torch, n: torch.normal(mean=1.0, std=2.0, size=(n, 4)),
    "normal in order": lambda torch, n: torch.normal(1.0, 2.0, (n, 4)),
    "normal of means": lambda torch, n: torch.normal(torch.zeros(n, 3), torch.arange(3.0).expand(n, 3)),
    "normal of means alone": lambda torch, n: torch.normal(torch.full((n, 3), 7.0)),
    "randn_like": lambda torch, n: torch.randn_like(torch.zeros(n, 3, dtype=torch.float64)),
    "rand_like": lambda torch, n: torch.rand_like(torch.zeros(n, 3), dtype=torch.float64),
    "normal_": lambda torch, n: torch.zeros(n, 3).normal_(1.0, 2.0),
    "uniform_": lambda torch, n: torch.zeros(n, 3).uniform_(-1.0, 5.0),
    "exponential_": lambda torch, n: torch.zeros(n, 3).exponential_(2.0),
    "multinomial": lambda torch, n: torch.multinomial(torch.ones(n, 9), 2),
    "multinomial's method": lambda torch, n: torch.ones(2 * n, 9).multinomial(1),
    "bernoulli": lambda torch, n: torch.bernoulli(torch.full((n, 9), 0.5)),
    "Normal": lambda torch, n: torch.distributions.Normal(torch.zeros(n, 3), 1.0).rsample(),
    "Categorical": lambda torch, n: torch.distributions.Categorical(torch.ones(n, 50)).sample(),
    "Uniform": lambda torch, n: torch.distributions.Uniform(torch.zeros(n, 3), torch.ones(n, 3)).sample(),
}


@pytest.mark.parametrize("name", DRAWS)
def test_a_row_is_drawn_as_torch_draws_it_alone(torch: Any, name: str) -> None:
    from surehand.policies.lerobot.noise import own_noise

    draw = DRAWS[name]
    alone = []
    for seed in SEEDS:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            alone.append(draw(torch, 1))
        with own_noise([seed]) as noise:
            assert torch.equal(draw(torch, 1), alone[-1])
    with own_noise(SEEDS, frozenset(noise.shapes)):
        assert torch.equal(draw(torch, 3), torch.cat(alone))
    with own_noise(SEEDS[::-1]):
        assert torch.equal(draw(torch, 3), torch.cat(alone[::-1]))
    with own_noise([SEEDS[1]] * 3):
        assert torch.equal(draw(torch, 3), torch.cat([alone[1]] * 3))


def test_one_draw_after_another_goes_on(torch: Any) -> None:
    from surehand.policies.lerobot.noise import own_noise

    with own_noise([4]):
        first, second = torch.randn(1, 3), torch.rand(1, 3)
    with own_noise([4, 5]):
        assert torch.equal(torch.randn(2, 3)[:1], first) and torch.equal(torch.rand(2, 3)[:1], second)
    assert not torch.equal(first, second)


def test_draws_that_are_not_a_rows_own_are_told(torch: Any) -> None:
    """A leading axis that is no batch, or only looks like one; a function that nobody watches."""
    from surehand.policies.lerobot.noise import SharedDraw, own_noise

    with own_noise([4]) as noise:
        torch.randn(3, 1, 2)
        torch.rand([])
    with pytest.raises(SharedDraw), own_noise(SEEDS, frozenset(noise.shapes)):
        torch.randn(3, 3, 2)  # three steps of three rows: divisible by three all the same
    for odd in (lambda: torch.randn(4, 2), lambda: torch.rand([])):
        with pytest.raises(SharedDraw), own_noise(SEEDS):
            odd()
    beta = torch.distributions.Beta(torch.ones(3, 2), torch.ones(3, 2))
    with pytest.raises(SharedDraw, match="global generator"), own_noise(SEEDS):
        beta.sample()
    with own_noise([4]):
        once = beta.sample()
    with own_noise([4]):
        assert torch.equal(beta.sample(), once)  # alone it is reproducible


def test_nothing_is_left_behind(torch: Any) -> None:
    from surehand.policies.lerobot.noise import own_noise

    before, functions = torch.random.get_rng_state(), (torch.randn, torch.Tensor.normal_, dict(vars(torch.Tensor)))
    with pytest.raises(ZeroDivisionError), own_noise(SEEDS):
        torch.randn(3)
        _ = 1 / 0
    assert torch.equal(torch.random.get_rng_state(), before)
    assert functions == (torch.randn, torch.Tensor.normal_, dict(vars(torch.Tensor)))


def test_other_threads_and_their_generators_draw_as_ever(torch: Any) -> None:
    from surehand.policies.lerobot.noise import own_noise

    generator = torch.Generator().manual_seed(1)
    wanted = torch.randn(7, generator=generator)
    found = []

    def elsewhere() -> None:
        found.append(torch.randn(7, 2).shape)

    with own_noise([4]) as noise:
        assert torch.equal(torch.randn(7, generator=torch.Generator().manual_seed(1)), wanted)
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert found == [(7, 2)] and not noise.shapes
