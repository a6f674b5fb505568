"""A policy by its address: the form of the address says what it is, and only that kind is loaded."""

import os
from dataclasses import dataclass
from pathlib import Path

from surehand.exceptions import FormatError, SurehandError
from surehand.frames import Space
from surehand.policies.function import is_function, open_function
from surehand.policies.mapping import Mapping
from surehand.policies.protocol import Policy

FORMS = (
    "a checkpoint's folder, ws://HOST:PORT (openpi), http://HOST:PORT (OpenVLA-OFT), tcp://HOST:PORT (GR00T), "
    "MODEL.onnx, PREDICTIONS.parquet or .npz, module:function or file.py:function"
)
_SERVED = {  # what a folder holds that only the project which wrote it can run, and the form of its server's address
    ("params", "_CHECKPOINT_METADATA"): ("openpi", "ws://HOST:8000"),
    ("trainer_state.json",): ("Hugging Face's trainer (GR00T, OpenVLA)", "tcp://HOST:5555 or http://HOST:8777"),
}


@dataclass(frozen=True)
class Access:
    """How policies are spoken to, whatever they are; what a policy has no use for, it ignores.

    `mapping`: clauses NAME=FEATURE (policies/mapping.py); `resize`: edge of the pictures a server is sent, 0 as they
    are; `timeout`: seconds for each answer; `space`: what the numbers mean that a server, a function or a model file
    answers; `dataset`: the folder the observations come from, for GR00T's meta/modality.json; `vlm`: the folder of the
    language model that a LeRobot checkpoint names.
    """

    mapping: tuple[str, ...] = ()
    resize: int = 0
    api_key: str = ""
    timeout: float = 60.0
    space: str = "robot"
    dataset: str = ""
    vlm: str = ""


def open_policy(address: str | os.PathLike[str], access: Access | None = None) -> Policy:
    """The policy at `address`; SurehandError, in one line, for what is none, is not there or does not load."""
    where, access = os.fspath(address), access or Access()
    scheme = where.partition("://")[0].lower() if "://" in where else ""
    if scheme:
        return _server(scheme, where, access)
    path = Path(where)
    if where and path.is_dir():
        return _folder(path, access)
    suffix = path.suffix.lower()
    if suffix == ".onnx":
        from surehand.policies.onnx import OnnxPolicy

        return OnnxPolicy(path, _mapping(access), resize=access.resize, space=Space.parse(access.space))
    if suffix in (".parquet", ".npz"):
        from surehand.formats.predictions import read_predictions
        from surehand.policies.recorded import RecordedPolicy

        return RecordedPolicy(read_predictions(path))
    if is_function(where):
        mapping = _mapping(access) if access.mapping else None
        return open_function(where, mapping=mapping, space=Space.parse(access.space))
    there = "a file of no known kind" if where and path.exists() else "nothing there"
    raise FormatError(f"{where}: {there}; a policy is {FORMS}")


def _server(scheme: str, url: str, access: Access) -> Policy:
    """The policy behind a server's address."""
    space = Space.parse(access.space)
    if scheme in ("ws", "wss"):
        from surehand.policies.openpi.client import OpenpiPolicy

        return OpenpiPolicy(
            url, _mapping(access), api_key=access.api_key, timeout=access.timeout, resize=access.resize, space=space
        )
    if scheme in ("http", "https"):
        from surehand.policies.openvla import OpenVLAPolicy

        return OpenVLAPolicy(
            url,
            _openvla(url, access),
            timeout=access.timeout,
            api_key=access.api_key,
            resize=access.resize,
            space=space,
        )
    if scheme == "tcp":
        from surehand.policies.gr00t.client import Gr00tPolicy

        mapping, groups = _gr00t(url, access)
        return Gr00tPolicy(
            url, mapping,
            timeout=access.timeout, api_token=access.api_key, resize=access.resize, space=space, groups=groups,
        )  # fmt: skip
    raise FormatError(f"{url}: no policy server is known by {scheme}://; a policy is {FORMS}")


def _folder(folder: Path, access: Access) -> Policy:
    """The LeRobot policy in a folder, which names its inputs itself; one that only its own project runs is refused."""
    for files, (project, form) in _SERVED.items():
        if all((folder / name).exists() for name in files):
            raise FormatError(
                f"{folder} is a checkpoint of {project}, which surehand does not run; "
                f"start that project's policy server and give its address, {form}"
            )
    from surehand.policies.lerobot.policy import LeRobotPolicy

    return LeRobotPolicy(folder, access.vlm or None)


def _mapping(access: Access) -> Mapping:
    return Mapping.parse(access.mapping)


def _openvla(url: str, access: Access) -> Mapping:
    """The mapping of an OpenVLA server, whose instruction is the task where no clause says otherwise."""
    if not access.mapping:
        raise SurehandError(
            f"{url}: an OpenVLA server does not say what it reads; name it, e.g. --map "
            "full_image=observation.images.top --map state=observation.state (pictures named *wrist* are wrist cameras)"
        )
    mapping = _mapping(access)
    if any(clause.name == "instruction" for clause in mapping.clauses):
        return mapping
    return Mapping.parse((*access.mapping, "instruction=task"))


def _gr00t(url: str, access: Access) -> tuple[Mapping, tuple[str, ...]]:
    """(mapping, groups) of a GR00T server: as the user maps it, or as the dataset's meta/modality.json says."""
    file = Path(access.dataset) / "meta" / "modality.json"
    if not access.dataset or not file.is_file():
        if not access.mapping:
            raise SurehandError(
                f"{url}: GR00T's inputs are named by a dataset's meta/modality.json, and there is none; "
                "name them, e.g. --map video.ego_view=observation.images.head --map state.arm=observation.state[0:7]"
            )
        return _mapping(access), ()
    from surehand.formats.modality import read_modality_keys

    clauses, groups = read_modality_keys(file)
    return Mapping.parse(access.mapping or clauses), groups
