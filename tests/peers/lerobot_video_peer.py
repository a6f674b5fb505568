"""An unmodified lerobot in a process of its own: videos that it records, and the pictures it sees in a dataset.

Run as `python lerobot_video_peer.py write|load|places FOLDER [CODEC]`; answers go to FOLDER.npz.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

KEY = "observation.images.head"


class VideoReader:
    """What torchvision < 0.28 had under this name and lerobot 0.4 asks for: pictures from a keyframe on, by PyAV."""

    def __init__(self, path: str, stream: str) -> None:
        import av

        self.container = av.open(path)

    def seek(self, seconds: float, keyframes_only: bool = False) -> None:
        """Back to the keyframe at or before this time."""
        self.container.seek(int(seconds * 1_000_000), any_frame=not keyframes_only, backward=True)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        import torch

        for frame in self.container.decode(video=0):
            picture = torch.as_tensor(frame.to_rgb().to_ndarray()).permute(2, 0, 1)
            yield {"data": picture, "pts": float(frame.pts * frame.time_base)}


def write(root: Path, codec: str) -> None:
    """A v3.0 dataset with videos recorded by lerobot itself: (episode, frame) as blocks, see video_datasets.py."""
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    sys.path.insert(0, str(Path(__file__).parents[1] / "formats"))
    import numpy as np
    from video_datasets import FPS, HEIGHT, WIDTH, scene

    features = {
        "action": {"dtype": "float32", "shape": (2,), "names": ["lift", "turn"]},
        KEY: {"dtype": "video", "shape": (HEIGHT, WIDTH, 3), "names": ["height", "width", "channels"]},
    }
    dataset = LeRobotDataset.create("peer/peer", FPS, features, root=root, use_videos=True, vcodec=codec)
    for episode, length in enumerate((7, 12, 5)):
        for frame in range(length):
            dataset.add_frame({"action": np.zeros(2, np.float32), KEY: scene(episode, frame), "task": "look"})
        dataset.save_episode()
    dataset.finalize()


def load(root: Path) -> None:
    """Every picture of a v3.0 dataset as LeRobotDataset gives it (channels first, 0 to 1)."""
    import numpy as np
    import torchvision
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    torchvision.io.VideoReader = VideoReader
    torchvision.set_video_backend = lambda name: None
    dataset = LeRobotDataset("peer/peer", root=root, video_backend="pyav")
    np.savez(f"{root}.npz", images=np.stack([dataset[i][KEY].numpy() for i in range(len(dataset))]))


def places(root: Path) -> None:
    """The file and the moment in it where lerobot's metadata looks for each episode."""
    import numpy as np
    from lerobot.datasets.lerobot_dataset import LeRobotDatasetMetadata

    meta = LeRobotDatasetMetadata("peer/peer", root=root)
    episodes = range(meta.total_episodes)
    paths = [str(meta.get_video_file_path(episode, KEY)) for episode in episodes]
    begin = [meta.episodes[episode][f"videos/{KEY}/from_timestamp"] for episode in episodes]
    np.savez(f"{root}.npz", paths=np.array(paths), begin=np.array(begin, float))


def main() -> None:
    """Runs the command that the arguments name."""
    from lerobot_shim import declare_torchvision_operators

    os.environ["HF_HUB_OFFLINE"] = "1"
    declare_torchvision_operators()
    command, root, *rest = sys.argv[1:]
    {"load": load, "write": write, "places": places}[command](Path(root), *rest)


if __name__ == "__main__":
    main()
