"""The tasks: what is drawn at random, what stands on the table, when it is done and what counts as a violation."""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from surehand.exceptions import SurehandError
from surehand.sim.model import World
from surehand.sim.robot import Body
from surehand.sim.scene import PUSHED, TABLE, THINGS, Kind, Scene, build, draw_scene, loose

LIFT = 0.10  # m above where it stood: picked
TRAY_HALF, TRAY_WALL, TRAY_HEIGHT = 0.080, 0.005, 0.045
BUTTON_HOUSING = (0.045, 0.045, 0.030)
BUTTON_RADIUS, BUTTON_HALF = 0.022, 0.015
TRIGGER, BUTTON_TRAVEL = 0.008, 0.016  # the switch closes, the button bottoms out, m
BUTTON_LIMIT = 20.0  # N; above it the button counts as broken
PUSH_TOLERANCE = 0.025  # m
HELD = 3  # control steps for which success must last


@dataclass
class Progress:
    """What a task remembers of its episode besides the physics."""

    start: float = 0.0  # height of the thing at the start, m
    held: int = 0  # steps in a row with the goal fulfilled
    broken: bool = False


class Task(Protocol):
    """One task: `draw` an initial state, `xml` for it, `fulfilled` now or not."""

    name: str
    steps: int  # after which an episode ends unfinished
    limits: dict[str, float]  # channel → N above which a step is a violation

    def draw(self, body: Body, seed: int) -> Scene: ...
    def xml(self, scene: Scene, body: Body) -> str: ...
    def fulfilled(self, world: World, scene: Scene, progress: Progress, forces: np.ndarray) -> bool: ...


class Pick:
    """Lift a thing 10 cm off the table and hold it there."""

    name, steps = "pick", 150

    def __init__(self) -> None:
        self.limits = {"object": 50.0, "table": 5.0, "self": 1.0, "press": 40.0}

    def draw(self, body: Body, seed: int) -> Scene:
        rng = _rng(self.name, seed)
        thing = _choose(rng, list(THINGS))
        scene = draw_scene(self.name, body, seed, thing, THINGS[thing], rng)
        x, y = _spot(body, rng)
        return replace(scene, xy=(x, y), goal=(x, y, TABLE + 0.2), instruction=f"pick up the {thing}")

    def xml(self, scene: Scene, body: Body) -> str:
        return build(scene, body, "", loose(scene, THINGS[scene.thing]))

    def fulfilled(self, world: World, scene: Scene, progress: Progress, forces: np.ndarray) -> bool:
        return bool(world.object_position[2] > progress.start + LIFT and forces[0] > 0)


class Place:
    """Pick a thing, put it into a tray and let go."""

    name, steps = "place", 250

    def __init__(self) -> None:
        self.limits = {"object": 50.0, "table": 5.0, "self": 1.0, "press": 60.0}

    def draw(self, body: Body, seed: int) -> Scene:
        rng = _rng(self.name, seed)
        thing = _choose(rng, list(THINGS))
        scene = draw_scene(self.name, body, seed, thing, THINGS[thing], rng)
        side = float(rng.choice([-1.0, 1.0]))
        x, goal_x = rng.uniform(0.11, 0.18, 2)
        y, goal_y = side * rng.uniform(0.10, 0.16), -side * rng.uniform(0.08, 0.13)
        goal = (float(goal_x), float(goal_y), TABLE + TRAY_WALL)
        return replace(scene, xy=(float(x), float(y)), goal=goal, instruction=f"put the {thing} into the tray")

    def xml(self, scene: Scene, body: Body) -> str:
        return build(scene, body, _tray(scene.goal), loose(scene, THINGS[scene.thing]))

    def fulfilled(self, world: World, scene: Scene, progress: Progress, forces: np.ndarray) -> bool:
        offset = np.abs(world.object_position - np.array(scene.goal))
        inside = offset[0] < TRAY_HALF and offset[1] < TRAY_HALF and offset[2] < 0.09
        return bool(inside and forces[0] == 0 and world.object_speed < 0.05)


class Press:
    """Press a button until its switch closes, without breaking it."""

    name, steps = "press", 120

    def __init__(self) -> None:
        self.limits = {"object": BUTTON_LIMIT, "table": 5.0, "self": 1.0}

    def draw(self, body: Body, seed: int) -> Scene:
        rng = _rng(self.name, seed)
        scene = draw_scene(self.name, body, seed, "button", _BUTTON, rng)
        x, y = _spot(body, rng)
        goal = (x, y, TABLE + 2 * BUTTON_HOUSING[2] + BUTTON_HALF)
        return replace(scene, xy=(x, y), scale=1.0, goal=goal, instruction="press the button gently")

    def xml(self, scene: Scene, body: Body) -> str:
        x, y, z = scene.goal
        a, b, c = BUTTON_HOUSING
        housing = (
            f'<geom name="housing" class="world" type="box" pos="{x:.6g} {y:.6g} {TABLE + c:g}"'
            f' size="{a:g} {b:g} {c:g}" euler="0 0 {scene.yaw:.6g}" rgba="0.2 0.2 0.22 1"/>'
        )
        # Not in contact class 1 with the housing it slides into: the joint's own stop ends the travel.
        button = f"""
<body name="object" pos="{x:.6g} {y:.6g} {z:.6g}" gravcomp="1">
  <joint name="button" type="slide" axis="0 0 -1" range="0 {BUTTON_TRAVEL:g}" stiffness="{scene.stiffness:.6g}"
         damping="5" springref="-0.002" solreflimit="0.008 1"/>
  <geom name="object" type="cylinder" size="{BUTTON_RADIUS:g} {BUTTON_HALF:g}" mass="0.05" contype="8" conaffinity="6"
        rgba="0.8 0.1 0.1 1"/>
</body>"""
        return build(scene, body, housing, button)

    def fulfilled(self, world: World, scene: Scene, progress: Progress, forces: np.ndarray) -> bool:
        progress.broken = progress.broken or bool(forces[0] > BUTTON_LIMIT)
        return bool(not progress.broken and scene.goal[2] - world.object_position[2] > TRIGGER)


class Push:
    """Push a thing along the table to a mark."""

    name, steps = "push", 150

    def __init__(self) -> None:
        self.limits = {"object": 40.0, "table": 5.0, "self": 1.0, "press": 50.0}

    def draw(self, body: Body, seed: int) -> Scene:
        rng = _rng(self.name, seed)
        thing = _choose(rng, list(PUSHED))
        scene = draw_scene(self.name, body, seed, thing, PUSHED[thing], rng)
        side = float(rng.choice([-1.0, 1.0]))
        angle, length = rng.uniform(-0.2, 0.2), rng.uniform(0.10, 0.16)
        x, y = rng.uniform(0.13, 0.17), -side * rng.uniform(0.03, 0.06)
        goal = (float(x + length * np.sin(angle)), float(y + side * length * np.cos(angle)), TABLE)
        # The thing faces along the push: its own yaw only leans a little.
        return replace(
            scene,
            xy=(float(x), float(y)),
            yaw=float(-side * angle + 0.3 * scene.yaw),
            goal=goal,
            instruction=f"push the {thing} to the mark",
        )

    def xml(self, scene: Scene, body: Body) -> str:
        x, y, z = scene.goal
        mark = (
            f'<site name="mark" type="cylinder" pos="{x:.6g} {y:.6g} {z:.6g}" size="{PUSH_TOLERANCE:g} 0.0005" '
            'rgba="0.1 0.1 0.1 1"/>'
        )
        return build(scene, body, mark, loose(scene, PUSHED[scene.thing]))

    def fulfilled(self, world: World, scene: Scene, progress: Progress, forces: np.ndarray) -> bool:
        near = np.linalg.norm(world.object_position[:2] - np.array(scene.goal[:2])) < PUSH_TOLERANCE
        return bool(near and world.object_speed < 0.05)


TASKS: dict[str, Task] = {task.name: task for task in (Pick(), Place(), Press(), Push())}
_BUTTON = Kind("cylinder", (BUTTON_RADIUS, BUTTON_RADIUS, BUTTON_HALF), (0.05, 0.05), (0.9, 0.9), "", 0.0)
KINDS = {**THINGS, **PUSHED, "button": _BUTTON}


def task(name: str) -> Task:
    """The task of that name; raises SurehandError listing those there are."""
    if name not in TASKS:
        raise SurehandError(f"no task {name!r}; choose {', '.join(TASKS)}")
    return TASKS[name]


def _rng(name: str, seed: int) -> np.random.Generator:
    return np.random.default_rng([*name.encode(), seed])


def _choose(rng: np.random.Generator, names: list[str]) -> str:
    return names[int(rng.integers(len(names)))]


def _spot(body: Body, rng: np.random.Generator) -> tuple[float, float]:
    """A point on the table that this body reaches with the tool pointing down."""
    reach = (0.09, 0.21, 0.25) if body.mobile else (0.09, 0.18, 0.15)
    return float(rng.uniform(reach[0], reach[1])), float(rng.uniform(-reach[2], reach[2]))


def _tray(goal: tuple[float, float, float]) -> str:
    x, y, _ = goal
    inner, wall, height = TRAY_HALF, TRAY_WALL, TRAY_HEIGHT / 2
    outer = inner + wall
    parts = [("floor_of_tray", x, y, TABLE + wall / 2, outer, outer, wall / 2)]
    for side, sign in (("a", 1), ("b", -1)):
        parts.append((f"tray_x{side}", x + sign * (inner + wall / 2), y, TABLE + height, wall / 2, outer, height))
        parts.append((f"tray_y{side}", x, y + sign * (inner + wall / 2), TABLE + height, outer, wall / 2, height))
    return "".join(
        f'<geom name="{name}" class="world" type="box" pos="{a:.6g} {b:.6g} {c:.6g}" size="{p:.6g} {q:.6g} {r:.6g}" '
        'rgba="0.93 0.93 0.95 1"/>'
        for name, a, b, c, p, q, r in parts
    )
