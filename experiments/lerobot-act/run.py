"""Records demonstrations, trains lerobot's own ACT on them with lerobot-train, and lets every checkpoint act.

    python experiments/lerobot-act/run.py --out out/lerobot-act

Each stage is skipped where its result lies in the folder already. Prints one line per checkpoint and task.
"""

import argparse
import json
import os
import runpy
import sys
from pathlib import Path

PEERS = Path(__file__).resolve().parents[2] / "tests" / "peers"
NORMALISE = '{"STATE": "MEAN_STD", "ENV": "MEAN_STD", "VISUAL": "MEAN_STD", "ACTION": "MEAN_STD"}'
SMALL = {  # ACT for states: the paper's is made for four cameras and fourteen joints
    "type": "act",
    "device": "cpu",
    "push_to_hub": "false",
    "chunk_size": 8,
    "n_action_steps": 8,
    "dim_model": 128,
    "n_heads": 4,
    "dim_feedforward": 512,
    "n_encoder_layers": 2,
    "n_vae_encoder_layers": 1,
    "dropout": 0.0,
    "optimizer_lr": 3e-4,
    "pretrained_backbone_weights": "null",
    "normalization_mapping": NORMALISE,
}


def import_torchvision() -> None:
    """Torchvision, also beside a CPU build of torch for which it was not built; lerobot imports it."""
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        sys.path.insert(0, str(PEERS))
        from lerobot_shim import declare_torchvision_operators

        declare_torchvision_operators()


def demonstrations(arguments: argparse.Namespace, folder: Path) -> None:
    """A LeRobot dataset of nudged expert episodes, tasks in turn."""
    from surehand.sim.follow import Variation
    from surehand.sim.record import Recipe, record

    recipe = Recipe(
        tuple(arguments.task),
        arguments.demos,
        arguments.body,
        arguments.seed,
        Variation(nudges=True),
        tuple(arguments.camera),
        arguments.image_size,
    )
    done = record(recipe, folder)
    print(f"{done.episodes} demonstrations, {done.frames} frames", flush=True)


def camera_inputs(arguments: argparse.Namespace) -> dict[str, dict[str, object]]:
    """Joints and pictures alone, as lerobot's config spells inputs: where things stand is not told."""
    from surehand.sim.robot import body

    picture = {"type": "VISUAL", "shape": [3, arguments.image_size, arguments.image_size]}
    joints = {"type": "STATE", "shape": [body(arguments.body).size]}
    return {"observation.state": joints} | {f"observation.images.{name}": picture for name in arguments.camera}


def train(arguments: argparse.Namespace, data: Path, out: Path) -> None:
    """What `lerobot-train` does with these options."""
    policy = [f"--policy.{key}={value}" for key, value in SMALL.items()]
    if arguments.camera:
        policy.append(f"--policy.input_features={json.dumps(camera_inputs(arguments))}")
    sys.argv = [
        "lerobot-train",
        "--dataset.repo_id=surehand/demonstrations",
        f"--dataset.root={data}",
        *policy,
        f"--output_dir={out}",
        f"--steps={arguments.steps}",
        f"--save_freq={max(1, arguments.steps // arguments.checkpoints)}",
        f"--batch_size={arguments.batch}",
        f"--seed={arguments.seed}",
        f"--log_freq={max(1, min(100, arguments.steps // 2))}",
        "--num_workers=0",
        "--wandb.enable=false",
    ]
    runpy.run_module("lerobot.scripts.lerobot_train", run_name="__main__")


def closed_loop(arguments: argparse.Namespace, run: Path) -> None:
    """Success of every checkpoint in scenes of its own."""
    from surehand.sim.episodes import success_rate
    from surehand.sim.opening import open_policy
    from surehand.sim.rollout import play, rollout_scenes

    scenes = rollout_scenes(arguments.seed, arguments.episodes)
    for folder in sorted(path for path in (run / "checkpoints").iterdir() if path.name.isdigit()):
        policy = open_policy(folder)
        for task in arguments.task:
            episodes = play(policy, task, arguments.body, scenes, execute=arguments.execute)
            good, count = success_rate(episodes)
            print(f"act {folder.name}  {task}  {good} of {count}", flush=True)


def main() -> None:
    """The three stages, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--task", nargs="+", default=["pick", "press"])
    parser.add_argument("--body", default="mobile")
    parser.add_argument("--camera", nargs="*", default=[])
    parser.add_argument("--image-size", type=int, default=96)
    parser.add_argument("--demos", type=int, default=200)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--checkpoints", type=int, default=3)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--execute", type=int, default=4)
    parser.add_argument("--episodes", type=int, default=50)
    parser.add_argument("--seed", type=int, default=700)
    arguments = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import torch

    torch.set_num_threads(1)
    import_torchvision()
    data, run = arguments.out / "demonstrations", arguments.out / "run"
    if not data.exists():
        demonstrations(arguments, data)
    if not run.exists():
        train(arguments, data, run)
    closed_loop(arguments, run)


if __name__ == "__main__":
    main()
