"""Lets torchvision import beside a CPU torch: its wheel for torch 2.13 is linked to CUDA and lacks operators."""

from typing import Any

_LIBRARY: list[Any] = []  # torch forgets operators whose library is garbage-collected


def declare_torchvision_operators() -> None:
    """Declares the two operators that torchvision looks up while it is imported; call it before lerobot is imported."""
    import torch

    if _LIBRARY or torch.version.cuda:  # beside a torch for CUDA the wheel finds what it is linked to
        return
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _LIBRARY.append(library)
