"""Pictures of a simulated scene: one OpenGL context per thread, kept from picture to picture and scene to scene."""

import atexit
import os
import sys
import threading
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from surehand.exceptions import SurehandError

if TYPE_CHECKING:
    from surehand.sim.model import World

MOST_GEOMS = 200  # drawn in a scene; each has fewer than fifty
_STUDIOS: dict[tuple[int, int], "_Studio"] = {}  # by process and thread: OpenGL belongs to one of each


def take_picture(world: "World", camera: str, width: int, height: int) -> np.ndarray:
    """What a camera of this world sees now, (height, width, 3) uint8.

    Raises SurehandError for a camera that the robot has not, a size beyond the largest, and where OpenGL is missing.
    """
    import mujoco

    model, largest = world.model, (world.model.vis.global_.offwidth, world.model.vis.global_.offheight)
    number = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_CAMERA, camera)
    if number < 0:
        raise SurehandError(
            f"the {world.body.name} robot has no camera {camera!r}; choose {' or '.join(camera_names(world))}"
        )
    if not (0 < width <= largest[0] and 0 < height <= largest[1]):
        raise SurehandError(f"a picture of {width} × {height} pixels; choose up to {largest[0]} × {largest[1]}")
    # Drawn from positions alone, beside the world: its own bodies lag by a physics step, and nothing of it may change.
    shown = world.scratch().data
    shown.qpos[:] = world.data.qpos
    mujoco.mj_kinematics(model, shown)
    mujoco.mj_camlight(model, shown)
    return _studio(model).shoot(model, shown, number, width, height)


def camera_names(world: "World") -> tuple[str, ...]:
    """The cameras there are."""
    return tuple(world.model.camera(i).name for i in range(world.model.ncam))


class _Studio:
    """An OpenGL context and what MuJoCo keeps on it: the same for every scene, for all are drawn from primitives."""

    def __init__(self, model: Any) -> None:
        import mujoco

        self._mujoco = mujoco
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # glfw warns of what it then raises
                self._opengl = _context_class()(model.vis.global_.offwidth, model.vis.global_.offheight)
                self._opengl.make_current()
                self._context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
        except Exception as error:  # drivers fail in ways of their own: ImportError, EGLError, FatalError, ...
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise SurehandError(
                f"cannot draw ({reason}); install an OpenGL driver (Debian: libegl1 libgl1-mesa-dri), "
                "or record without cameras"
            ) from None
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)
        self._options = mujoco.MjvOption()
        self._scene = mujoco.MjvScene(model, MOST_GEOMS)

    def shoot(self, model: Any, data: Any, camera: int, width: int, height: int) -> np.ndarray:
        mujoco = self._mujoco
        view = mujoco.MjvCamera()
        view.fixedcamid, view.type = camera, mujoco.mjtCamera.mjCAMERA_FIXED
        mujoco.mjv_updateScene(model, data, self._options, None, view, mujoco.mjtCatBit.mjCAT_ALL.value, self._scene)
        frame = mujoco.MjrRect(0, 0, width, height)
        self._opengl.make_current()
        mujoco.mjr_render(frame, self._scene, self._context)
        pixels = np.empty((height, width, 3), np.uint8)
        mujoco.mjr_readPixels(pixels, None, frame, self._context)
        return np.ascontiguousarray(pixels[::-1])  # OpenGL counts rows from below

    def close(self) -> None:
        self._opengl.make_current()
        self._context.free()
        self._opengl.free()


def _studio(model: Any) -> _Studio:
    """The one of this thread, made at its first picture."""
    key = (os.getpid(), threading.get_ident())
    if key not in _STUDIOS:
        if any(process != os.getpid() for process, _ in _STUDIOS):  # OpenGL would wait for ever
            raise SurehandError("cannot draw in a process forked from one that drew; start processes by spawn")
        first = not _STUDIOS
        _STUDIOS[key] = _Studio(model)
        if first:  # after mujoco registered the end of its display: this runs before it
            atexit.register(_close_all)
    return _STUDIOS[key]


def _close_all() -> None:
    for (process, _), studio in _STUDIOS.items():
        if process == os.getpid():
            # A thread that still holds its context keeps it to the end.
            with suppress(Exception):
                studio.close()
    _STUDIOS.clear()


def _context_class() -> Any:
    """How to get at OpenGL: as MUJOCO_GL says, else through EGL where no screen is."""
    import mujoco

    screen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if sys.platform == "linux" and not screen and not os.environ.get("MUJOCO_GL"):
        from mujoco import egl

        return egl.GLContext
    return mujoco.GLContext
