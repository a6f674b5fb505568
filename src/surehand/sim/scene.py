"""What an episode starts from: every randomised number in one frozen record, and its MJCF."""

from dataclasses import dataclass

import numpy as np

from surehand.sim.model import mjcf
from surehand.sim.robot import DESK_X, Body

TABLE = 0.50  # height of the table top, m
TABLE_HALF = (0.30, 0.50)
STAND_BACK = 0.24  # the base's centre stays this far from the table's edge


@dataclass(frozen=True)
class Kind:
    """A thing to handle: its shape and the ranges its size, mass and friction are drawn from."""

    shape: str  # MJCF geom type
    half: tuple[float, float, float]  # half sizes; of a cylinder radius, radius, half height
    mass: tuple[float, float]  # kg
    friction: tuple[float, float]  # sliding, against everything
    colour: str
    turns: float  # the grasp looks the same after this turn about the vertical, rad; 0: after any


THINGS = {
    "cube": Kind("box", (0.024, 0.024, 0.024), (0.06, 0.15), (0.7, 1.1), "0.8 0.2 0.2 1", np.pi / 2),
    "can": Kind("cylinder", (0.030, 0.030, 0.050), (0.20, 0.40), (0.5, 0.9), "0.2 0.6 0.2 1", 0.0),
    "carton": Kind("box", (0.040, 0.020, 0.055), (0.10, 0.25), (0.6, 1.0), "0.2 0.3 0.8 1", np.pi),
    "block": Kind("box", (0.028, 0.028, 0.036), (0.50, 0.90), (0.7, 1.1), "0.85 0.7 0.1 1", np.pi / 2),
}
PUSHED = {
    "crate": Kind("box", (0.045, 0.045, 0.030), (0.20, 0.80), (0.3, 0.7), "0.9 0.45 0.1 1", np.pi / 2),
    "puck": Kind("cylinder", (0.040, 0.040, 0.020), (0.10, 0.50), (0.2, 0.6), "0.45 0.2 0.65 1", 0.0),
}


@dataclass(frozen=True)
class Scene:
    """One initial state. The same task, body and seed give the same scene, number by number."""

    task: str
    seed: int
    thing: str
    instruction: str
    xy: tuple[float, float]  # of the thing on the table
    yaw: float
    scale: float
    mass: float
    friction: float
    goal: tuple[float, float, float]  # where it shall go; the task says how
    base: tuple[float, float, float]  # x, y, heading
    arm: tuple[float, ...]  # (5,)
    head: tuple[float, float]
    firmness: float  # how firmly this demonstrator grips: times the least squeeze that holds the thing,
    squeeze: float  # and so many newtons more
    stiffness: float  # of a button's spring, N/m
    noise: float  # standard deviation of observed positions, m


def draw_scene(task: str, body: Body, seed: int, thing: str, kind: Kind, rng: np.random.Generator) -> Scene:
    """What all tasks randomise alike; the task then places thing and goal."""
    away = rng.uniform(0.20, 0.55)  # behind where the base will stand
    arm = body.start() + rng.uniform(-1, 1, 5) * np.array([0.04, 0.1, 0.1, 0.1, 0.3])
    return Scene(
        task=task,
        seed=seed,
        thing=thing,
        instruction="",
        xy=(0.0, 0.0),
        yaw=float(rng.uniform(-0.6, 0.6)),
        scale=float(rng.uniform(0.92, 1.08)),
        mass=float(rng.uniform(*kind.mass)),
        friction=float(rng.uniform(*kind.friction)),
        goal=(0.0, 0.0, 0.0),
        base=(float(-STAND_BACK - away), float(rng.uniform(-0.3, 0.3)), float(rng.uniform(-0.35, 0.35)))
        if body.mobile
        else (DESK_X, 0.0, 0.0),
        arm=tuple(arm.tolist()),
        head=(float(rng.uniform(-0.4, 0.4)), float(rng.uniform(0.0, 0.6))),
        firmness=float(rng.uniform(1.5, 2.5)),
        squeeze=float(rng.uniform(3.0, 12.0)),
        stiffness=float(rng.uniform(300, 900)),
        noise=float(rng.uniform(0.0, 0.002)),
    )


def table() -> str:
    """The table's geom: it begins at x = 0."""
    x, y = TABLE_HALF
    return f'<geom name="table" class="world" type="box" pos="{x:g} 0 {TABLE / 2:g}" size="{x:g} {y:g} {TABLE / 2:g}"/>'


def loose(scene: Scene, kind: Kind) -> str:
    """The thing as a free body standing on the table."""
    a, b, c = (value * scene.scale for value in kind.half)
    size = f"{a:.6g} {c:.6g}" if kind.shape == "cylinder" else f"{a:.6g} {b:.6g} {c:.6g}"
    turn = f"{np.cos(scene.yaw / 2):.9g} 0 0 {np.sin(scene.yaw / 2):.9g}"
    x, y = scene.xy
    # Priority: its own friction decides every contact, so that one number says how slippery it is.
    return f"""
<body name="object" pos="{x:.6g} {y:.6g} {TABLE + c + 0.0005:.6g}" quat="{turn}">
  <freejoint name="object"/>
  <geom name="object" class="world" type="{kind.shape}" size="{size}" mass="{scene.mass:.6g}" condim="4" priority="1"
        friction="{scene.friction:.6g} 0.01 0.0001" rgba="{kind.colour}"/>
</body>"""


def build(scene: Scene, body: Body, furniture: str, thing: str) -> str:
    """The whole MJCF of a scene."""
    return mjcf(body, table() + furniture, thing)
