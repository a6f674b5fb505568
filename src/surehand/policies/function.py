"""A Python callable as a policy, by its address: module:function or path/to/file.py:function."""

import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from surehand.exceptions import FormatError, SurehandError
from surehand.frames import Samples, Space
from surehand.policies.chunks import OneByOne, chunk_of, first_line
from surehand.policies.mapping import Mapping
from surehand.policies.protocol import Answer, Observation, Policy, PolicySpec


class FunctionPolicy(OneByOne):
    """A function of one observation that answers (H, D), (D,) or {"actions": ...}, in `space`; or an object's `infer`.

    A parameter called `rng` (np.random.Generator) makes it stochastic, and that generator alone its noise. Attributes
    may say more: `cameras` and `inputs` (tuples of the keys it reads; without them it is given everything) and
    `history` (observations in a row). With a mapping it is called with what that makes of them. An object's `reset()`
    and `close()` are called where it has them.
    """

    def __init__(self, given: Any, who: str, *, mapping: Mapping | None = None, space: Space | None = None) -> None:
        """FormatError for what cannot be called."""
        self._given, self._call = given, getattr(given, "infer", given)
        if not callable(self._call):
            raise FormatError(f"{who} is a {type(given).__name__}; expected a function of one observation")
        self.who = self.name = who
        self._mapping = mapping
        try:
            self._drawn = "rng" in inspect.signature(self._call).parameters
        except (TypeError, ValueError):  # some callables written in C do not say
            self._drawn = False
        read: Any = mapping if mapping is not None else given
        self.spec = PolicySpec(
            0, 0, space or Space(),
            stochastic=self._drawn,
            generator="noise" if self._drawn else "deterministic",
            cameras=getattr(read, "cameras", None),
            inputs=getattr(read, "inputs", None),
            history=int(getattr(given, "history", 1)),
        )  # fmt: skip

    def infer(self, observation: Observation) -> Answer:
        """{"actions": (H, D)} for one observation; of a stochastic function the draw of one fixed generator."""
        return {"actions": self._asked(observation, np.random.default_rng(0))}

    def sample(self, observation: Observation, k: int, rng: np.random.Generator) -> Samples:
        """K chunks (K, H, D): K calls with this generator, or K times the one answer of a deterministic function."""
        if not self._drawn:
            return super().sample(observation, k, rng)
        return Samples(np.stack([self._asked(observation, rng) for _ in range(k)]), "noise")

    def reset(self) -> None:
        """Tell an object that an episode begins."""
        self._tell("reset")

    def close(self) -> None:
        """Tell an object that this is the end."""
        self._tell("close")

    def _tell(self, what: str) -> None:
        if callable(told := getattr(self._given, what, None)):
            self._answer(told)

    def _asked(self, observation: Observation, rng: np.random.Generator) -> np.ndarray:
        seen = dict(observation) if self._mapping is None else self._mapping.apply(observation)
        found = self._answer(self._call, seen, **({"rng": rng} if self._drawn else {}))
        return self.checked(chunk_of(found, self.who))

    def _answer(self, call: Callable[..., Any], *given: Any, **named: Any) -> Any:
        """What the user's own code returns, or one line of what it raises."""
        try:
            return call(*given, **named)
        except SurehandError:
            raise
        except (Exception, SystemExit) as error:  # the user's own code: its traceback stays with the line as the cause
            raise SurehandError(f"{self.who}: {type(error).__name__}: {first_line(error)}") from error


def is_function(address: str) -> bool:
    """Whether this names a callable: module:function or path/to/file.py:function."""
    before, colon, name = address.rpartition(":")
    if not colon or not name.isidentifier():
        return False
    return before.endswith(".py") or all(part.isidentifier() for part in before.split("."))


def open_function(address: str, *, mapping: Mapping | None = None, space: Space | None = None) -> Policy:
    """The policy that `address` names: a function, a class (made without arguments), or an object.

    What is a Policy is used as it is; what has `infer` is asked by it; anything else is called.
    """
    before, _, name = address.rpartition(":")
    module = _from_file(Path(before), address) if before.endswith(".py") else _from_module(before, address)
    if not hasattr(module, name):
        known = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise FormatError(f"{address}: {before} has no {name}; it has {', '.join(known[:10]) or 'no functions'}")
    found = getattr(module, name)
    if inspect.isclass(found):
        try:
            found = found()
        except (Exception, SystemExit) as error:  # the user's own code
            raise SurehandError(f"{address}: {type(error).__name__}: {first_line(error)}") from error
    if isinstance(found, Policy) and isinstance(found.spec, PolicySpec):
        return found
    return FunctionPolicy(found, address, mapping=mapping, space=space)


def _from_module(name: str, address: str) -> Any:
    """The module, looked for in the working directory too, as `python -m` does."""
    _look_in(os.getcwd())
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:  # an ImportError, or whatever the module does when it is loaded
        raise FormatError(f"{address}: cannot import {name} ({type(error).__name__}: {first_line(error)})") from error


def _from_file(path: Path, address: str) -> Any:
    """The file as a module, loaded once; modules beside it can be imported."""
    where = path.expanduser().resolve()
    if not where.is_file():
        raise FormatError(f"{address}: no file {path}; expected path/to/file.py:function")
    name = f"surehand_{where.stem}_{blake2b(str(where).encode(), digest_size=6).hexdigest()}"
    if name in sys.modules:
        return sys.modules[name]
    plan = importlib.util.spec_from_file_location(name, where)
    if plan is None or plan.loader is None:
        raise FormatError(f"{address}: {path} cannot be loaded as Python")
    _look_in(str(where.parent))
    module = sys.modules[name] = importlib.util.module_from_spec(plan)
    try:
        plan.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # a SyntaxError, an ImportError, or whatever it does when it is loaded
        del sys.modules[name]
        raise FormatError(f"{address}: cannot load {path} ({type(error).__name__}: {first_line(error)})") from error
    return module


def _look_in(folder: str) -> None:
    """Modules of the folder can be imported, after all others."""
    if folder not in sys.path:
        sys.path.append(folder)
