"""The same random draws for every row of a batch, so that a stochastic model's answer to a row is its answer alone."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class SameNoise(TorchFunctionMode):
    """While it is entered, a tensor of random numbers with the batch's leading size B is one row's draw, B times."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.rows = rows

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """What the function returns; drawn for one row and repeated where it draws (B, ...) numbers."""
        named = dict(kwargs or {})
        size = named.get("size", args[0] if func in (torch.randn, torch.rand) and args else None)
        if func not in (torch.randn, torch.rand, torch.normal) or not isinstance(size, Sequence):
            return func(*args, **named)
        if not size or size[0] != self.rows:
            return func(*args, **named)
        rest = args if "size" in named else args[1:]
        one = func(*rest, **{**named, "size": (1, *size[1:])})
        return one.expand(tuple(size)).clone()


@contextmanager
def seeded(seed: int, same_rows: int = 0) -> Iterator[None]:
    """Torch's global generators start from this seed inside and are as they were afterwards.

    With `same_rows` every row of a batch of that many gets the same numbers.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if same_rows:
            with SameNoise(same_rows):
                yield
        else:
            yield
