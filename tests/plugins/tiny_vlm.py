"""Tiny vision-language models of transformers with random weights, as `save_pretrained` writes them."""

from pathlib import Path
from typing import Any

WORDS = [  # of which answers are made
    "pouring",
    "waving",
    "running",
    "water",
    "glass",
    "flag",
    "a",
    "the",
    "into",
    "with",
    "man",
    "cup",
    "ball",
    "dog",
    "hat",
    "tree",
]
STD = 0.6  # so that what is said depends on what is seen
TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}:{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}{% endfor %}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)
TEXT = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2,
        "num_key_value_heads": 2, "max_position_embeddings": 2048, "initializer_range": 0.6}  # fmt: skip
SIGHT = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2,
         "image_size": 32, "patch_size": 16}  # fmt: skip


def tokenizer(*special: str) -> Any:
    """Return a tokenizer of a few words, with the marks that a processor puts around pictures."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    marks = ["<pad>", "<s>", "</s>", "<unk>", "<image>", *special]
    words = models.WordLevel({word: place for place, word in enumerate([*marks, *WORDS])}, unk_token="<unk>")
    tiny = Tokenizer(words)
    tiny.pre_tokenizer = pre_tokenizers.Whitespace()
    tiny.decoder = decoders.WordPiece(prefix="##")
    return PreTrainedTokenizerFast(
        tokenizer_object=tiny, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>",
        additional_special_tokens=["<image>", *special],
    )  # fmt: skip


def llava(folder: Path) -> Path:
    """Write a Llava: CLIP's vision tower before a Llama."""
    import torch
    from transformers import (
        CLIPImageProcessor,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )  # fmt: skip

    torch.manual_seed(0)
    words = tokenizer()
    text = LlamaConfig(**TEXT, vocab_size=len(words), bos_token_id=1, eos_token_id=2, pad_token_id=0)
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**SIGHT), text_config=text, image_token_index=4, vision_feature_layer=-1
    )
    _save(LlavaForConditionalGeneration(config), folder)
    size = {"shortest_edge": 32}
    seen = CLIPImageProcessor(size=size, crop_size={"height": 32, "width": 32})
    LlavaProcessor(
        seen, words, patch_size=16, vision_feature_select_strategy="default", chat_template=TEMPLATE,
        num_additional_image_tokens=1,
    ).save_pretrained(folder)  # fmt: skip
    return folder


def idefics3(folder: Path) -> Path:
    """Write an Idefics3: its own vision tower before a Llama, with several marks around each picture."""
    import torch
    from transformers import (
        Idefics3Config,
        Idefics3ForConditionalGeneration,
        Idefics3ImageProcessor,
        Idefics3Processor,
        LlamaConfig,
    )  # fmt: skip

    torch.manual_seed(0)
    words = tokenizer("<fake_token_around_image>", "<global-img>", "<end_of_utterance>", "<row_1_col_1>")
    text = LlamaConfig(**TEXT, vocab_size=len(words), bos_token_id=1, eos_token_id=2, pad_token_id=0)
    config = Idefics3Config(vision_config=SIGHT, text_config=text, image_token_id=4, scale_factor=2, pad_token_id=0)
    _save(Idefics3ForConditionalGeneration(config), folder)
    seen = Idefics3ImageProcessor(
        size={"longest_edge": 32}, max_image_size={"longest_edge": 32}, do_image_splitting=False
    )
    Idefics3Processor(seen, words, image_seq_len=1, chat_template=TEMPLATE).save_pretrained(folder)
    return folder


def _save(model: Any, folder: Path) -> None:
    import torch

    from maxi_core.system.bars import without_bars_of_transformers

    for weights in model.parameters():
        if weights.ndim > 1:
            torch.nn.init.normal_(weights, std=STD)
    model.generation_config.temperature = 0.6  # as many models have it
    model.generation_config.do_sample = True
    with without_bars_of_transformers():
        model.save_pretrained(folder)
