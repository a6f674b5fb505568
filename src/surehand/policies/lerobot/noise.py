"""Random draws that belong to the rows of a batch: row i is drawn from generator i, whoever else is in the batch.

Torch draws the noise of a whole batch from one stream, so that a row's noise depends on its neighbours. Here the
functions with which models draw are answered row by row, on the CPU, so that noise is the same on every device. The
functions are exchanged: a TorchFunctionMode would see them too, but costs a tenth of a small model's time or more.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

Shape = tuple[int, ...]

SIZED = {torch.randn: 0, torch.rand: 0, torch.randint: 1}  # and how many numbers may stand before the size
NORMAL = torch.normal
LIKE = {torch.randn_like: torch.randn, torch.rand_like: torch.rand}
IN_PLACE = {torch.Tensor.normal_, torch.Tensor.uniform_, torch.Tensor.exponential_}
MODULE = ("randn", "rand", "randint", "randn_like", "rand_like", "normal", "multinomial", "bernoulli")
METHODS = ("normal_", "uniform_", "exponential_", "multinomial", "bernoulli")
ONE_AT_A_TIME = threading.RLock()  # torch's functions and its global generators are everybody's


class SharedDraw(Exception):
    """A draw of a batch that cannot be divided into its rows' own; ask for the rows one at a time."""


class RowNoise:
    """Answers torch's drawing functions: B·n random rows are n rows of each of B generators, one after the other.

    `shapes` collects what was drawn, per row of the batch. With `alone`, the shapes that one row draws by itself,
    whatever else is drawn for more rows raises SharedDraw: its leading axis is not the batch.
    """

    def __init__(self, seeds: Sequence[int], alone: frozenset[Shape] | None = None) -> None:
        self.rows = len(seeds)
        self.shapes: set[Shape] = set()
        self._alone = alone
        # Rows with the same seed have the same numbers: one stream is enough.
        different = seeds if len(set(seeds)) > 1 else seeds[:1]
        self._generators = [torch.Generator().manual_seed(int(seed)) for seed in different]

    def answer(self, func: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """What the function returns, its random numbers drawn row by row."""
        if named.get("generator") is not None:  # drawn from where the caller wants it
            return func(*args, **named)
        named.pop("generator", None)
        if func in LIKE:
            template = args[0]
            kept = {"dtype": named.get("dtype") or template.dtype, "device": named.get("device") or template.device}
            return self._sized(LIKE[func], (), tuple(template.shape), kept)
        if func in IN_PLACE:
            return self._in_place(func, args, named)
        if func in SIZED:
            return self._sized(func, *_size_of(func, args, named))
        if func is NORMAL and not any(isinstance(value, torch.Tensor) for value in (*args, *named.values())):
            size = tuple(named.pop("size") if "size" in named else args[2])
            return self._sized(func, args[:2], size, named)
        return self._of_tensors(func, args, named)

    def _sized(self, func: Callable[..., Any], first: tuple[Any, ...], size: Shape, named: dict[str, Any]) -> Any:
        device = named.pop("device", None)
        share = self._share_of(size)
        parts = [func(*first, size=share, **named, generator=one) for one in self._generators]
        return self._joined(parts).to(torch.get_default_device() if device is None else device)

    def _of_tensors(self, func: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Drawn from tensors of parameters (probabilities, means): row i's share of them with generator i."""
        tensors = [value for value in (*args, *named.values()) if isinstance(value, torch.Tensor) and value.ndim]
        if not tensors:
            return func(*args, **named, generator=self._generators[0])
        size, device = tuple(tensors[0].shape), tensors[0].device
        rows = self._share_of(size)[0]

        def share(value: Any, row: int) -> Any:
            if not isinstance(value, torch.Tensor):
                return value
            return value[row * rows : (row + 1) * rows].cpu() if value.shape[:1] == size[:1] else value.cpu()

        parts = []
        for row in range(self.rows):
            if len(self._generators) == 1:  # the parameters may differ where the stream does not
                one = self._generators[0].clone_state() if row < self.rows - 1 else self._generators[0]
            else:
                one = self._generators[row]
            given = [share(value, row) for value in args]
            parts.append(func(*given, **{key: share(value, row) for key, value in named.items()}, generator=one))
        return torch.cat(parts).to(device)

    def _in_place(self, func: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        target, *rest = args
        share = self._share_of(tuple(target.shape))
        parts = [
            func(torch.empty(share, dtype=target.dtype), *rest, **named, generator=one) for one in self._generators
        ]
        return target.copy_(self._joined(parts))

    def _joined(self, parts: list[torch.Tensor]) -> torch.Tensor:
        if self.rows == 1:
            return parts[0]
        if len(parts) == self.rows:
            return torch.cat(parts)
        return parts[0].repeat(self.rows, *[1] * (parts[0].ndim - 1))

    def _share_of(self, size: Shape) -> Shape:
        """The shape of one row's share of a draw of that size; SharedDraw where its leading axis is not the batch."""
        if self.rows == 1:
            self.shapes.add(size)
            return size
        each, rest = divmod(size[0], self.rows) if size else (0, 1)
        share = (each, *size[1:])
        if rest or (self._alone is not None and share not in self._alone):
            raise SharedDraw(f"{size} for {self.rows} rows")
        return share


def _size_of(
    func: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any]
) -> tuple[tuple[Any, ...], Shape, dict[str, Any]]:
    """The numbers before the size, the size, and the other arguments, however the call spelt them."""
    if "size" in named:
        size = tuple(named.pop("size"))
        return args, size, named
    if args and isinstance(args[-1], Sequence):
        return args[:-1], tuple(args[-1]), named
    return args[: SIZED[func]], tuple(args[SIZED[func] :]), named


@contextmanager
def own_noise(seeds: Sequence[int], alone: frozenset[Shape] | None = None) -> Iterator[RowNoise]:
    """Each of the B rows draws from its own seed inside; torch's global generators are as they were afterwards.

    Raises SharedDraw where several rows' draws cannot be told apart. What one row alone draws in ways that are not
    known here comes from the global generators, started from its seed. Other threads draw as ever.
    """
    with ONE_AT_A_TIME, torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(int(seeds[0]))
        states = _global_states() if len(seeds) > 1 else []
        noise = RowNoise(seeds, alone)
        with ExitStack() as undo:
            for owner, names in ((torch, MODULE), (torch.Tensor, METHODS)):
                for name in names:
                    _exchange(owner, name, noise, undo)
            yield noise
        if len(seeds) > 1 and not all(map(torch.equal, states, _global_states())):
            raise SharedDraw("drawn from torch's global generator")


def _exchange(owner: Any, name: str, noise: RowNoise, undo: ExitStack) -> None:
    """One of torch's functions answered by the noise in this thread, until `undo` is closed."""
    before, own, thread = getattr(owner, name), name in vars(owner), threading.get_ident()

    def drawn(*args: Any, **named: Any) -> Any:
        return noise.answer(before, args, named) if threading.get_ident() == thread else before(*args, **named)

    setattr(owner, name, drawn)
    if own:
        undo.callback(setattr, owner, name, before)
    else:  # inherited
        undo.callback(delattr, owner, name)


def _global_states() -> list[torch.Tensor]:
    return [torch.random.get_rng_state(), *(torch.cuda.get_rng_state(n) for n in range(torch.cuda.device_count()))]
