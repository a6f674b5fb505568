"""A vision-language model's folder made from nothing: what SmolVLA looks up by name, a few thousand times smaller."""

import json
import sys
from pathlib import Path

WIDTH, LAYERS, EDGE, PATCH = 64, 4, 64, 16
SPECIAL = [
    "<|im_start|>", "<|im_end|>", "<end_of_utterance>", "<fake_token_around_image>", "<image>", "<global-img>", "<pad>",
]  # fmt: skip
TEXTS = ["pick up the red cube", "press the button", "push the block to the left", "place it in the bowl", "go home"]


def make(folder: Path, weights: bool = False) -> Path:
    """The folder, with a tokenizer, a configuration and image processors; with weights where they are asked for."""
    folder.mkdir(parents=True)
    tokenizer = _tokenizer(folder)
    config = _config(tokenizer)
    config.save_pretrained(folder)
    _processor(folder, tokenizer)
    if weights:
        import torch
        from transformers import SmolVLMForConditionalGeneration

        torch.manual_seed(0)
        SmolVLMForConditionalGeneration(config).to(torch.bfloat16).save_pretrained(folder)
    return folder


def _tokenizer(folder: Path):  # type: ignore[no-untyped-def]
    """A byte-pair tokenizer of a handful of sentences, with SmolVLM's special tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    raw.train_from_iterator(
        TEXTS, trainers.BpeTrainer(vocab_size=300, special_tokens=SPECIAL, initial_alphabet=alphabet)
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw,
        bos_token="<|im_start|>",
        eos_token="<end_of_utterance>",
        pad_token="<pad>",
        extra_special_tokens={
            "image_token": "<image>",
            "fake_image_token": "<fake_token_around_image>",
            "global_image_token": "<global-img>",
            "end_of_utterance_token": "<end_of_utterance>",
        },
    )
    tokenizer.save_pretrained(folder)
    return tokenizer


def _config(tokenizer):  # type: ignore[no-untyped-def]
    """SmolVLM's configuration, 64 wide and four layers deep."""
    from transformers import SmolVLMConfig

    size = len(tokenizer)
    return SmolVLMConfig(
        text_config={
            "model_type": "llama", "hidden_size": WIDTH, "intermediate_size": 2 * WIDTH, "num_hidden_layers": LAYERS,
            "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "vocab_size": size,
            "max_position_embeddings": 512, "pad_token_id": tokenizer.pad_token_id,
            "bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id,
        },
        vision_config={
            "hidden_size": WIDTH, "intermediate_size": 2 * WIDTH, "num_hidden_layers": 2, "num_attention_heads": 4,
            "image_size": EDGE, "patch_size": PATCH,
        },
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=tokenizer.pad_token_id,
        scale_factor=2,
    )  # fmt: skip


def _processor(folder: Path, tokenizer) -> None:  # type: ignore[no-untyped-def]
    """Pictures and videos in SmolVLM's way, as small as the model; lerobot opens it for the tokenizer alone."""
    from transformers import SmolVLMImageProcessor, SmolVLMProcessor, SmolVLMVideoProcessor

    size = {"longest_edge": EDGE}
    images = SmolVLMImageProcessor(size=size, max_image_size=size, do_image_splitting=False)
    sampling = {"fps": 1, "max_frames": 4, "video_size": size}
    videos = SmolVLMVideoProcessor(size=size, max_image_size=size, video_sampling=sampling)
    SmolVLMProcessor(images, tokenizer, videos, image_seq_len=4).save_pretrained(folder)
    written = json.loads((folder / "config.json").read_text())
    assert written["model_type"] == "smolvlm"


if __name__ == "__main__":
    make(Path(sys.argv[1]))
