"""A robot's model (MJCF or URDF) as forward kinematics over arrays; MuJoCo loads it, meshes are never needed."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from surehand.exceptions import FormatError, ShapeError, SurehandError
from surehand.layout import Layout

# What a chain of joints does not need and what may point to files that are not there.
_STRIPPED = (
    *("sensors", "actuators", "tendons", "pairs", "excludes", "skins", "flexes", "keys"),
    *("geoms", "cameras", "lights", "meshes", "hfields", "materials", "textures"),
)


class Kinematics:
    """Pose of one site (or body) as a function of the joints: `forward` and `jacobian` take q (N, D) in rad and m.

    `joints` names the model's joint behind every column of q, None for columns that move nothing; without it the
    columns are the model's hinges and slides in their order. `base` names the columns of a planar base (x, y, yaw) that
    carries the whole model. Joints the columns do not drive stay at the model's default; joints that mimic another
    follow it. Raises FormatError where the model cannot be read and SurehandError where it lacks the site or a joint.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        site: str,
        joints: Sequence[str | None] | None = None,
        base: tuple[int, int, int] | None = None,
    ) -> None:
        self._mujoco = _import_mujoco()
        self.path, self.site, self.base = Path(path), site, base
        self._model = _load(self._mujoco, self.path)
        self._data = self._mujoco.MjData(self._model)
        scalar = self._scalar_joints()
        self.joints = tuple(scalar) if joints is None else tuple(joints)
        unknown = [name for name in self.joints if name is not None and name not in scalar]
        if unknown:
            raise SurehandError(f"{self.path}: no joint {unknown[0]!r}; the model has {', '.join(scalar)}")
        if not any(self.joints) and base is None:
            raise SurehandError(f"{self.path}: no action column drives a joint; the model has {', '.join(scalar)}")
        self._columns = np.array([i for i, name in enumerate(self.joints) if name is not None], int)
        driven = [scalar[name] for name in self.joints if name is not None]
        self._qpos = np.array([self._model.jnt_qposadr[j] for j in driven], int)
        self._dof = np.array([self._model.jnt_dofadr[j] for j in driven], int)
        self._mimics = [m for m in _mimics(self._mujoco, self._model) if m[0] not in driven]
        self._point = self._find_point()

    @classmethod
    def for_layout(
        cls,
        path: str | os.PathLike[str],
        site: str,
        layout: Layout,
        names: Mapping[str, str] | None = None,
        base: tuple[int, int, int] | None = None,
    ) -> "Kinematics":
        """Kinematics over a layout's columns: by `names` (action joint → model joint), else equal but for an ending.

        The endings .pos, .q and _joint do not count.
        """
        known = {_plain(name): name for name in cls(path, site).joints if name is not None}
        given = names or {}
        joints = [
            None if pad else given.get(name, known.get(_plain(name)))
            for name, pad in zip(layout.names, layout.is_pad, strict=True)
        ]
        return cls(path, site, [None if base and i in base else name for i, name in enumerate(joints)], base)

    def forward(self, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Position (N, 3) in metres and rotation matrix (N, 3, 3) of the site in the world frame."""
        q = self._check(q)
        position, rotation = np.empty((len(q), 3)), np.empty((len(q), 3, 3))
        for n, row in enumerate(q):
            self._set(row)
            self._mujoco.mj_kinematics(self._model, self._data)
            position[n], rotation[n] = self._point.xpos, self._point.xmat.reshape(3, 3)
        if self.base is not None:
            turn = _yaw(q[:, self.base[2]])
            position = np.einsum("nij,nj->ni", turn, position)
            position[:, :2] += q[:, list(self.base[:2])]
            rotation = turn @ rotation
        return position, rotation

    def jacobian(self, q: np.ndarray) -> np.ndarray:
        """Geometric Jacobian in the world frame (N, 6, D): rows are metres then radians per unit of each column."""
        q = self._check(q)
        full = np.zeros((2, 3, self._model.nv))
        out = np.zeros((len(q), 6, len(self.joints)))
        for n, row in enumerate(q):
            self._set(row)
            self._mujoco.mj_kinematics(self._model, self._data)
            self._mujoco.mj_comPos(self._model, self._data)
            self._mujoco.mj_jac(self._model, self._data, full[0], full[1], self._point.xpos, self._point.body)
            for follower, leader, poly in self._mimics:
                slope = np.polynomial.polynomial.polyval(self._offset(leader), np.polynomial.polynomial.polyder(poly))
                full[..., self._model.jnt_dofadr[leader]] += slope * full[..., self._model.jnt_dofadr[follower]]
            out[n][:, self._columns] = full[..., self._dof].reshape(6, -1)
        return out if self.base is None else self._on_base(q, out)

    def _on_base(self, q: np.ndarray, jacobian: np.ndarray) -> np.ndarray:
        """The Jacobian turned with the base, and the base's own columns."""
        assert self.base is not None
        x, y, yaw = self.base
        turned = np.einsum("nij,nkjd->nkid", _yaw(q[:, yaw]), jacobian.reshape(len(q), 2, 3, -1)).reshape(
            jacobian.shape
        )
        arm = self.forward(q)[0]
        arm[:, :2] -= q[:, [x, y]]
        turned[:, 0, x] += 1.0
        turned[:, 1, y] += 1.0
        turned[:, 0, yaw] -= arm[:, 1]
        turned[:, 1, yaw] += arm[:, 0]
        turned[:, 5, yaw] += 1.0
        return np.asarray(turned)

    def _check(self, q: np.ndarray) -> np.ndarray:
        q = np.asarray(q, np.float64)
        if q.ndim != 2 or q.shape[1] != len(self.joints):
            raise ShapeError(f"{self.path} is driven by {len(self.joints)} columns, got an array of shape {q.shape}")
        return q

    def _set(self, row: np.ndarray) -> None:
        self._data.qpos[:] = self._model.qpos0
        self._data.qpos[self._qpos] = row[self._columns]
        for follower, leader, poly in self._mimics:
            at = self._model.jnt_qposadr[follower]
            follows = np.polynomial.polynomial.polyval(self._offset(leader), poly)
            self._data.qpos[at] = self._model.qpos0[at] + follows

    def _offset(self, joint: int) -> float:
        at = self._model.jnt_qposadr[joint]
        return float(self._data.qpos[at] - self._model.qpos0[at])

    def _scalar_joints(self) -> dict[str, int]:
        """Hinges and slides by name."""
        kinds = (int(self._mujoco.mjtJoint.mjJNT_HINGE), int(self._mujoco.mjtJoint.mjJNT_SLIDE))
        return {
            self._model.joint(j).name or f"joint {j}": j
            for j in range(self._model.njnt)
            if self._model.jnt_type[j] in kinds
        }

    def _find_point(self) -> "_Point":
        sites = [self._model.site(i).name for i in range(self._model.nsite)]
        bodies = [self._model.body(i).name for i in range(self._model.nbody)]
        if self.site in sites:
            at = self._data.site(self.site)
            return _Point(at, int(self._model.site(self.site).bodyid[0]))
        if self.site in bodies:
            return _Point(self._data.body(self.site), int(self._model.body(self.site).id))
        known = ", ".join(name for name in sites + bodies if name)
        raise SurehandError(f"{self.path}: no site or body {self.site!r}; the model has {known}")


class _Point:
    """A site or a body of MuJoCo's data, and the body it is fixed to."""

    def __init__(self, view: Any, body: int) -> None:
        self._view, self.body = view, body

    @property
    def xpos(self) -> np.ndarray:
        return np.asarray(self._view.xpos)

    @property
    def xmat(self) -> np.ndarray:
        return np.asarray(self._view.xmat)


def _import_mujoco() -> Any:
    try:
        import mujoco
    except ImportError:
        raise SurehandError("task-space error needs MuJoCo; install surehand[kinematics]") from None
    return mujoco


def _load(mujoco: Any, path: Path) -> Any:
    """The compiled model without meshes, geoms, actuators and sensors; tiny masses where it then has none."""
    if not path.is_file():
        raise FormatError(f"{path}: no such file; give the robot's URDF or MJCF")
    try:
        spec = mujoco.MjSpec.from_file(str(path))
        for kind in _STRIPPED:
            for element in list(getattr(spec, kind)):
                spec.delete(element)
        spec.compiler.fusestatic = False  # a tool fixed to the last link keeps its name
        spec.compiler.boundmass, spec.compiler.boundinertia = 1e-6, 1e-9
        return spec.compile()
    except (ValueError, RuntimeError) as error:
        raise FormatError(f"{path}: MuJoCo cannot read this model ({' '.join(str(error).split())})") from None


def _mimics(mujoco: Any, model: Any) -> list[tuple[int, int, np.ndarray]]:
    """(follower, leader, polynomial) of every joint that another drives (URDF mimic, MJCF joint equality)."""
    joint = int(mujoco.mjtEq.mjEQ_JOINT)
    rows = [i for i in range(model.neq) if model.eq_type[i] == joint and model.eq_obj2id[i] >= 0]
    return [(int(model.eq_obj1id[i]), int(model.eq_obj2id[i]), model.eq_data[i, :5].copy()) for i in rows]


def _plain(name: str) -> str:
    return re.sub(r"(\.pos|\.q|_joint)$", "", name)


def _yaw(angle: np.ndarray) -> np.ndarray:
    """Rotations about z (N, 3, 3)."""
    turn = np.zeros((len(angle), 3, 3))
    turn[:, 0, 0] = turn[:, 1, 1] = np.cos(angle)
    turn[:, 1, 0] = np.sin(angle)
    turn[:, 0, 1] = -turn[:, 1, 0]
    turn[:, 2, 2] = 1.0
    return turn
