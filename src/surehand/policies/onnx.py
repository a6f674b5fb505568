"""A model file run by ONNX Runtime as a policy: its inputs found in the observation by their names."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from surehand.exceptions import FormatError, ShapeError, SurehandError
from surehand.frames import Samples, Space
from surehand.policies.chunks import Learning, first_line, flattened, numbers_of, repeated
from surehand.policies.mapping import Mapping
from surehand.policies.protocol import Answer, Observation, PolicySpec

MOST_ROWS = 128  # observations in one run, so that their pictures fit in memory
NOISE = "noise"
_TYPES = {
    "tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16,
    "tensor(uint8)": np.uint8, "tensor(int32)": np.int32, "tensor(int64)": np.int64, "tensor(bool)": np.bool_,
}  # fmt: skip


class OnnxPolicy(Learning):
    """A model on the CPU: inputs (B, ...), the output "actions", or else the first, (B, H, D) or (B, D), in `space`.

    An input is fed what the mapping, or without one the observation, has under its name, "_" and "/" as good as ".".
    A picture is given as the model asks for it: uint8 as it is, floats in 0..1, channels first where only that fits.
    An input called "noise" makes the policy stochastic, drawn standard normal. OMP_NUM_THREADS bounds the threads.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        mapping: Mapping | None = None,
        *,
        resize: int = 0,
        space: Space | None = None,
    ) -> None:
        """FormatError, in one line, for what ONNX Runtime does not load: a corrupt file, operators of others."""
        self.who, self.name = str(path), Path(path).stem
        self._mapping, self._resize = replace(mapping or Mapping.none(), flat=True), resize
        self._session = _session(Path(path))
        inputs = {found.name: found for found in self._session.get_inputs()}
        self._noise: tuple[int, ...] | None = None
        if NOISE in inputs:
            noise = inputs.pop(NOISE)
            shape = noise.shape[1:]
            if not shape or not all(isinstance(size, int) for size in shape):
                raise FormatError(f"{path}: its noise is of shape {shape} a row; export it with sizes that are fixed")
            self._noise = tuple(shape)
            self._noise_type = _TYPES.get(noise.type, np.float32)
        self._inputs = inputs
        outputs = {found.name: found for found in self._session.get_outputs()}
        self._output = next((name for name in ("actions", "action") if name in outputs), next(iter(outputs)))
        shape = outputs[self._output].shape
        batches = [found.shape[0] for found in self._session.get_inputs() if found.shape]
        if any(isinstance(size, int) and size != 1 for size in batches):
            raise ShapeError(f"{path}: made for batches of {max(map(str, batches))}; export it with a dynamic axis 0")
        self._rows = MOST_ROWS if batches and not any(isinstance(size, int) for size in batches) else 1
        fixed = [size if isinstance(size, int) and size > 0 else 0 for size in shape]
        horizon, dims = {2: (1, fixed[-1]), 3: (fixed[1], fixed[-1])}.get(len(shape), (0, 0)) if shape else (0, 0)
        drawn = self._noise is not None
        self.spec = PolicySpec(
            horizon, dims, space or Space(),
            stochastic=drawn,
            generator="noise" if drawn else "deterministic",
            cameras=self._mapping.cameras if any(len(found.shape) > 3 for found in inputs.values()) else (),
            inputs=self._mapping.inputs,
        )  # fmt: skip

    def infer(self, observation: Observation) -> Answer:
        """{"actions": (H, D)} for one observation; of a stochastic model the draw of one fixed noise."""
        return self.infer_batch([observation])[0]

    def infer_batch(self, observations: list[Observation]) -> list[Answer]:
        """One answer per observation, from one run where the model's batch axis is dynamic."""
        noise = self._drawn(1, np.random.default_rng(0))
        return [{"actions": chunk} for chunk in self._chunks(observations, noise * len(observations))]

    def sample(self, observation: Observation, k: int, rng: np.random.Generator) -> Samples:
        """K chunks (K, H, D): K draws of the noise, or K times the one answer of a deterministic model."""
        return self.sample_batch([observation], k, [rng])[0]

    def sample_batch(
        self, observations: Sequence[Observation], k: int, rngs: Sequence[np.random.Generator]
    ) -> list[Samples]:
        """K chunks (K, H, D) per observation, each observation's noise from its own generator."""
        if not self.spec.stochastic:
            return [repeated(answer, k) for answer in self.infer_batch(list(observations))]
        noise = [row for rng in rngs for row in self._drawn(k, rng)]
        chunks = self._chunks([observation for observation in observations for _ in range(k)], noise)
        return [Samples(np.stack(chunks[i : i + k]), "noise") for i in range(0, len(chunks), k)]

    def reset(self) -> None:
        """Nothing: it looks at one observation at a time."""

    def _drawn(self, k: int, rng: np.random.Generator) -> list[np.ndarray]:
        """K rows of noise; empty ones for a model without."""
        return list(rng.standard_normal((k, *(self._noise or ()))).astype(np.float32))

    def _chunks(self, observations: Sequence[Observation], noise: Sequence[np.ndarray]) -> list[np.ndarray]:
        """(H, D) of each observation."""
        chunks: list[np.ndarray] = []
        for start in range(0, len(observations), self._rows):
            part = slice(start, start + self._rows)
            made = {id(one): one for one in observations[part]}  # the draws of one observation share what is made of it
            fed = {name: self._row(one) for name, one in made.items()}
            rows = [fed[id(one)] for one in observations[part]]
            chunks += [self.checked(chunk) for chunk in self._run(rows, noise[part])]
        return chunks

    def _row(self, observation: Observation) -> dict[str, np.ndarray]:
        """What the model is fed for one observation, without the batch axis."""
        sent = flattened(self._mapping.apply(observation, self._resize))
        named = {_plain(name): value for name, value in (observation | sent).items()} | sent
        fed = {}
        for name, wanted in self._inputs.items():
            value = named.get(name, named.get(_plain(name)))
            if value is None:
                raise ShapeError(
                    f"{self.who} reads {name} {_sizes(wanted.shape)}, there is {', '.join(sorted(sent)) or 'nothing'}; "
                    f"say where it comes from with --map {name}=FEATURE"
                )
            fed[name] = _fitted(value, wanted, self.who)
        return fed

    def _run(self, rows: list[dict[str, np.ndarray]], noise: Sequence[np.ndarray]) -> np.ndarray:
        """(B, H, D) of one run."""
        fed = {name: np.stack([row[name] for row in rows]) for name in self._inputs}
        if self._noise is not None:
            fed[NOISE] = np.stack(list(noise)).astype(self._noise_type)
        try:
            found = self._session.run([self._output], fed)[0]
        except Exception as error:  # ONNX Runtime's errors share no parent but Exception
            raise SurehandError(f"{self.who}: ONNX Runtime cannot run it ({_said(error)})") from None
        array = numbers_of(found, self.who)
        if array.ndim not in (2, 3) or len(array) != len(rows) or not array.size:
            raise ShapeError(
                f"{self.who} answered {self._output} of shape {array.shape} to {len(rows)} observations, "
                "expected (B, H, D) or (B, D)"
            )
        return array if array.ndim == 3 else array[:, None]


def _session(path: Path) -> Any:
    """The model, loaded. Weights outside its folder and operators from libraries are not: ONNX Runtime refuses them."""
    if not path.is_file():
        raise FormatError(f"{path}: no such file")
    try:
        import onnxruntime
    except ImportError:
        raise SurehandError(f"{path} needs ONNX Runtime; pip install 'surehand[onnx]'") from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what is wrong is said once, by us
    threads = os.environ.get("OMP_NUM_THREADS", "")
    if threads.isdecimal() and int(threads) > 0:
        options.intra_op_num_threads = int(threads)
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors share no parent but Exception
        raise FormatError(f"{path}: ONNX Runtime cannot load it ({_said(error)}); export the model again") from None


def _fitted(value: Any, wanted: Any, who: str) -> np.ndarray:
    """One input of one observation in the model's type and rank; ShapeError where it does not fit."""
    if wanted.type == "tensor(string)":
        return np.array(str(value), dtype=object)
    if wanted.type not in _TYPES:
        raise FormatError(f"{who}: its input {wanted.name} is a {wanted.type}; only plain numbers and text are fed")
    found, sizes = np.asarray(value), wanted.shape[1:]
    if found.dtype.kind not in "fiub":
        raise ShapeError(
            f"{who} reads {wanted.name} {_sizes(wanted.shape)}, the observation has {str(value)[:40]!r} there"
        )
    if found.ndim == 3 and found.dtype == np.uint8:
        first = found.shape[2] == 3 and not _fits(found.shape, sizes) and _fits(found.transpose(2, 0, 1).shape, sizes)
        found = found.transpose(2, 0, 1) if first else found
        if wanted.type in ("tensor(float)", "tensor(float16)", "tensor(double)"):
            found = found / np.float32(255)
    if found.ndim == 0 and len(sizes) == 1:
        found = found[None]
    if not _fits(found.shape, sizes):
        raise ShapeError(f"{who} reads {wanted.name} {_sizes(wanted.shape)}, the observation has {found.shape} there")
    return found.astype(_TYPES[wanted.type])


def _fits(found: tuple[int, ...], sizes: Sequence[Any]) -> bool:
    pairs = zip(found, sizes, strict=False)
    return len(found) == len(sizes) and all(not isinstance(size, int) or size == one for one, size in pairs)


def _plain(name: str) -> str:
    return name.replace(".", "_").replace("/", "_")


def _sizes(shape: Sequence[Any]) -> str:
    return f"({', '.join(str(size) if isinstance(size, int) else '?' for size in shape)})"


def _said(error: Exception) -> str:
    return first_line(error).removeprefix("[ONNXRuntimeError] : ")[:300]
