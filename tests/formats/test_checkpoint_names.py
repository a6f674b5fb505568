"""Training steps as the common trainers and people write them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surehand.formats.checkpoint_names import parse_step, split_step


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("outputs/train/act/checkpoints/020000/pretrained_model", 20_000),
        ("outputs/train/act/checkpoints/020000/pretrained_model/model.safetensors", 20_000),
        ("outputs/train/act/checkpoints/last/pretrained_model", None),
        (Path("checkpoints/pi05_hsr/my_experiment/20000"), 20_000),
        ("checkpoints/pi05_hsr/my_experiment/20000/params", 20_000),
        ("runs/gr00t/checkpoint-20000", 20_000),
        ("runs\\gr00t\\checkpoint-20000\\", 20_000),
        ("B32 40k", 40_000),
        ("B8 1k", 1_000),
        ("40k", 40_000),
        ("40K.parquet", 40_000),
        ("step_4000", 4_000),
        ("step-00004000.safetensors", 4_000),
        ("global_step4000", 4_000),
        ("4000_steps.npz", 4_000),
        ("pi05_80k", 80_000),
        ("pi05_baseline_80k", 80_000),
        ("hsr_smolvla_40k", 40_000),
        ("1.5k", 1_500),
        ("step 2M", 2_000_000),
        ("smolvla_450M_40k", 40_000),
        ("smolvla_450M", None),
        ("mlp 012000", 12_000),
        ("flow-000500", 500),
        ("seed-3", None),
        ("act-2026-03-14", None),
        ("data10k_40k", 40_000),
        ("runs/40k/last", None),
        ("pi05_ours", None),
        ("B32", None),
        ("n1.5", None),
        ("best", None),
        ("footsteps", None),
        ("", None),
        ("/", None),
    ],
)
def test_known_names(name: str | Path, step: int | None) -> None:
    assert parse_step(name) == step


@given(st.integers(0, 10**9), st.sampled_from(["{}", "{:06d}", "checkpoint-{}", "run/step_{}", "a b/ckpt {}.pt"]))
def test_a_written_step_is_read(step: int, pattern: str) -> None:
    assert parse_step(pattern.format(step)) == step


@given(st.text())
def test_any_text_gives_a_step_or_none(name: str) -> None:
    assert parse_step(name) is None or parse_step(name) >= 0  # type: ignore[operator]


def test_checkpoints_of_one_run_share_what_is_left_of_their_names() -> None:
    runs = {split_step(f"outputs/{run}/checkpoints/{step:06d}/pretrained_model")[0] for run in "ab" for step in (1, 20)}
    assert len(runs) == 2
    assert split_step("B32 40k")[0] == split_step("B32 5k")[0] != split_step("PT 5k")[0]
    assert split_step("pi05_ours") == ("pi05_ours", None)
