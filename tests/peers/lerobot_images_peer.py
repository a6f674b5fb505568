"""An unmodified lerobot in a process of its own: what it makes of image columns, and its ACT trained on them.

Run as `python lerobot_images_peer.py load|write|act FOLDER`; answers go to FOLDER.npz.
"""

import os
import sys
from pathlib import Path

KEY = "observation.images.head"


def load(root: Path) -> None:
    """Every image of a v3.0 dataset as LeRobotDataset gives it (channels first, 0 to 1), and its statistics."""
    import numpy as np
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    dataset = LeRobotDataset("peer/peer", root=root)
    images = np.stack([dataset[i][KEY].numpy() for i in range(len(dataset))])
    stats = {f"stats_{name}": np.asarray(values) for name, values in dataset.meta.stats[KEY].items()}
    np.savez(f"{root}.npz", images=images, shape=np.array(dataset.meta.features[KEY]["shape"]), **stats)


def write(root: Path) -> None:
    """A v3.0 dataset with images recorded by lerobot itself, and what was put into it."""
    import numpy as np
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    rng = np.random.default_rng(7)
    features = {
        "action": {"dtype": "float32", "shape": (2,), "names": ["lift", "turn"]},
        KEY: {"dtype": "image", "shape": (24, 32, 3), "names": ["height", "width", "channels"]},
    }
    dataset = LeRobotDataset.create("peer/peer", 10, features, root=root, use_videos=False)
    images = rng.integers(0, 256, (9, 24, 32, 3), dtype=np.uint8)
    for first, last in ((0, 5), (5, 9)):
        for image in images[first:last]:
            dataset.add_frame({"action": np.zeros(2, np.float32), KEY: image, "task": "look"})
        dataset.save_episode()
    dataset.finalize()
    np.savez(f"{root}.npz", images=images)


def act(root: Path) -> None:
    """Losses of a small ACT of lerobot's own, trained by its own loop on the images and states of a dataset."""
    import numpy as np
    import torch
    from lerobot.datasets.lerobot_dataset import LeRobotDataset
    from lerobot.datasets.utils import dataset_to_policy_features
    from lerobot.policies.act.configuration_act import ACTConfig
    from lerobot.policies.act.modeling_act import ACTPolicy
    from lerobot.policies.factory import make_pre_post_processors

    torch.manual_seed(0)
    torch.set_num_threads(1)
    whole = LeRobotDataset("peer/peer", root=root)
    features = dataset_to_policy_features(whole.features)
    images = [key for key in features if key.startswith("observation.images.")]
    config = ACTConfig(
        input_features={key: features[key] for key in ("observation.state", *images)},
        output_features={"action": features["action"]},
        pretrained_backbone_weights=None,
        dim_model=32,
        n_heads=2,
        dim_feedforward=32,
        n_encoder_layers=1,
        n_vae_encoder_layers=1,
        chunk_size=8,
        n_action_steps=8,
        device="cpu",
    )
    times = {"action": [step / whole.fps for step in config.action_delta_indices]}
    dataset = LeRobotDataset("peer/peer", root=root, delta_timestamps=times)
    before, _ = make_pre_post_processors(config, dataset_stats=dataset.meta.stats)
    policy = ACTPolicy(config)
    optimiser = torch.optim.AdamW(policy.parameters(), lr=1e-3)
    losses: list[float] = []
    loader = torch.utils.data.DataLoader(dataset, batch_size=8, shuffle=True)
    for _, batch in zip(range(12), loader, strict=False):
        loss, _ = policy(before(batch))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss))
    np.savez(f"{root}.npz", losses=losses, cameras=images)


def main() -> None:
    """Runs the command that the arguments name."""
    from lerobot_shim import declare_torchvision_operators

    os.environ["HF_HUB_OFFLINE"] = "1"
    declare_torchvision_operators()
    command, root = sys.argv[1:]
    {"load": load, "write": write, "act": act}[command](Path(root))


if __name__ == "__main__":
    main()
