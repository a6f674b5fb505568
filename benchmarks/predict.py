"""Speed of `surehand predict`: against a frame-at-a-time loop, and against the policy's own batched forward.

An ACT checkpoint (ResNet-18, one camera of 64 pixels) and a tiny SmolVLA, untrained, on one dataset with images. The
first rival asks the loaded policy for one frame after the other, observations ready in memory; promised are 4 times
its frames per second. The second is lerobot alone: its processors and forward pass on batches whose tensors are ready
in memory; promised is less than 10 % more time for all that surehand does around them: reading, decoding, batching,
checking, writing. One thread of torch and one process everywhere, loading excluded; medians of runs that take turns.

    python benchmarks/predict.py [--frames 1024] [--batch 64] [--repeats 5]
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "peers"))
from lerobot_shim import declare_torchvision_operators

from surehand.formats.lerobot import LeRobotFolder, open_lerobot
from surehand.formats.lerobot_write import write_lerobot
from surehand.frames import Actions
from surehand.policies.lerobot.policy import LeRobotPolicy
from surehand.predictions.observations import Reader, Shown
from surehand.predictions.plan import PredictPlan
from surehand.predictions.run import predict

FASTER, OVERHEAD = 4.0, 0.10
CAMERA, EDGE, DIMS, LENGTH = "observation.images.head", 64, 7, 128
ACT = {
    "chunk_size": 16, "n_action_steps": 16, "dim_model": 128, "n_heads": 4, "dim_feedforward": 256,
    "n_encoder_layers": 2, "n_vae_encoder_layers": 1, "pretrained_backbone_weights": None,
}  # fmt: skip
SMOLVLA = {
    "chunk_size": 16, "n_action_steps": 16, "load_vlm_weights": False, "num_vlm_layers": 4,
    "expert_width_multiplier": 1.0, "resize_imgs_with_padding": (EDGE, EDGE), "num_steps": 10,
}  # fmt: skip


def recording(folder: Path, frames: int) -> LeRobotFolder:
    """Episodes of smooth motion before a noisy picture."""
    rng = np.random.default_rng(0)
    episodes = []
    for index in range(-(-frames // LENGTH)):
        action = rng.normal(size=(LENGTH, DIMS)).cumsum(axis=0).astype(np.float32)
        scene = rng.integers(0, 200, (EDGE, EDGE, 3))
        pictures = (scene + rng.integers(0, 50, (LENGTH, EDGE, EDGE, 3))).astype(np.uint8)
        episodes.append(
            Actions(
                action=action,
                episode=np.full(LENGTH, index),
                frame=np.arange(LENGTH),
                task=np.zeros(LENGTH, np.int64),
                state=action,
                timestamp=np.arange(LENGTH) / 10,
                columns={CAMERA: pictures},
                tasks=("pick up the red cube",),
                fps=10.0,
            )
        )
    return open_lerobot(write_lerobot(folder, episodes))


def checkpoint(folder: Path, kind: str, fields: dict[str, Any]) -> tuple[LeRobotPolicy, tuple[Any, Any, Any]]:
    """An untrained checkpoint of this kind, opened by surehand; lerobot's own policy, pre- and post-processor."""
    import torch
    from lerobot.configs.types import FeatureType, NormalizationMode, PolicyFeature
    from lerobot.policies.factory import get_policy_class, make_policy_config, make_pre_post_processors

    torch.manual_seed(0)
    sizes = {"observation.state": (DIMS,), CAMERA: (3, EDGE, EDGE), "action": (DIMS,)}
    kinds = {"observation.state": FeatureType.STATE, CAMERA: FeatureType.VISUAL, "action": FeatureType.ACTION}
    features = {key: PolicyFeature(kinds[key], size) for key, size in sizes.items()}
    mode, seen = NormalizationMode.MEAN_STD, NormalizationMode.IDENTITY
    config = make_policy_config(
        kind,
        **fields,
        input_features={key: feature for key, feature in features.items() if key != "action"},
        output_features={"action": features["action"]},
        normalization_mapping={"STATE": mode, "ACTION": mode, "VISUAL": seen},
        device="cpu",
    )
    stats = {key: {"mean": torch.zeros(size), "std": torch.ones(size)} for key, size in sizes.items()}
    before, after = make_pre_post_processors(config, dataset_stats=stats)
    policy = get_policy_class(kind)(config)
    for part in (policy, before, after):
        part.save_pretrained(folder / "pretrained_model")
    return LeRobotPolicy(folder), (policy.eval(), before, after)


def own_forward(own: tuple[Any, Any, Any], observations: list[dict[str, Any]], batch: int) -> Callable[[], None]:
    """lerobot's processors and forward pass on batches whose tensors are ready."""
    import torch

    policy, before, after = own
    ready = []
    for first in range(0, len(observations), batch):
        rows = observations[first : first + batch]
        pictures = np.stack([row[CAMERA] for row in rows]).transpose(0, 3, 1, 2)
        ready.append(
            {
                "observation.state": torch.from_numpy(np.stack([row["observation.state"] for row in rows])),
                CAMERA: torch.from_numpy(np.ascontiguousarray(pictures)).float() / 255,
                "task": [row["task"] for row in rows],
            }
        )

    def run() -> None:
        for tensors in ready:
            with torch.no_grad():
                after(policy.predict_action_chunk(before(dict(tensors)))).numpy()

    return run


def measure(
    policy: LeRobotPolicy, own: tuple[Any, Any, Any], data: LeRobotFolder, batch: int, repeats: int, scratch: Path
) -> bool:
    """Prints the speeds of one policy; whether both promises hold."""
    episodes = tuple(data.episodes.tolist())
    plan = PredictPlan(episodes=episodes, batch=batch)
    seen = Reader(data, Shown.of(data, policy.spec), None, 0).read(episodes)
    observations = seen.at(np.arange(len(seen.recorded)))
    few = observations[:: max(1, len(observations) // 64)]

    def ours() -> None:
        out = scratch / str(time.perf_counter_ns())
        record = predict(data, ["it=it"], plan, out, open_policy=lambda *_: policy, threads=1, cache_bytes=0)
        assert not record.failed, record.failed[0].reason

    def one_by_one() -> None:
        for observation in few:
            policy.infer(observation)

    ways = {"ours": ours, "one": one_by_one, "own": own_forward(own, observations, batch)}
    for run in ways.values():
        run()  # the first call of everything is slow
    took: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, run in ways.items():
            begin = time.perf_counter()
            run()
            took[name].append(time.perf_counter() - begin)
    n = len(observations)
    ours_s, one_s, own_s = (statistics.median(took[name]) for name in ("ours", "one", "own"))
    ours_f, one_f, own_f = n / ours_s, len(few) / one_s, n / own_s
    faster = ours_f / one_f
    more = statistics.median(a / b - 1 for a, b in zip(took["ours"], took["own"], strict=True))
    print(
        f"{policy.name}: predict {ours_f:.0f} frames/s; one at a time {one_f:.0f} ({faster:.1f}×, promised "
        f"{FASTER:.0f}×); lerobot's own batches {own_f:.0f} ({100 * more:+.1f} %, promised below {100 * OVERHEAD:.0f})"
    )
    return faster >= FASTER and more < OVERHEAD


def main() -> None:
    """Prints the measured speeds beside what is promised."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, default=1024)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    declare_torchvision_operators()
    import torch
    from tiny_vlm import make

    torch.set_num_threads(1)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, 1 thread, batches of {options.batch}")
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        data = recording(root / "data", options.frames)
        vlm = str(make(root / "vlm"))
        policies = [
            checkpoint(root / "act", "act", ACT),
            checkpoint(root / "smolvla", "smolvla", SMOLVLA | {"vlm_model_name": vlm}),
        ]
        held = [measure(*policy, data, options.batch, options.repeats, root / "out") for policy in policies]
    if not all(held):
        raise SystemExit("a promise was missed")


if __name__ == "__main__":
    main()
