"""Replies a second from a local model: one prompt at a time against length-sorted batches, in one run.

    python benchmarks/local.py                          a small model with random weights, made on the spot
    python benchmarks/local.py --model FOLDER-OR-HUB-ID --device cuda --requests 256

Both ways ask the same requests of the same weights, in turn, `--rounds` times; the best round of each counts. Loading is not
measured. A model with random weights seldom ends by itself, so most replies have `--max-tokens` tokens.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditkit.models.base import Failure, Reply, Request
from auditkit.models.local import LocalBackend

if TYPE_CHECKING:
    from collections.abc import Sequence

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
SENTENCES = (
    "My parents want me to take over the shop, and I would like to study in another town.",
    "A colleague asks me to stay late, although I promised my children to be at home.",
    "Should I tell my teacher that I disagree, or keep silent in front of the class?",
    "Soll ich das Angebot annehmen oder bei meiner Familie bleiben?",
    "私は家族と相談してから決めるべきでしょうか。",
)


def make_model(folder: Path, *, hidden: int = 64, layers: int = 2, context: int = 512, spread: float = 0.3) -> Path:
    """Write a Llama with random weights, a byte-level tokenizer and a chat template into `folder`, and return it.

    `spread` is the standard deviation of the weights: large enough that the most likely token is so by a margin.
    """
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, logging

    logging.disable_progress_bar()
    special = ["<|pad|>", "<|end|>", "<|user|>", "<|assistant|>", "<|system|>"]
    bare = Tokenizer(models.BPE())
    bare.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bare.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=512,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bare.train_from_iterator(SENTENCES, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bare, pad_token=special[0], eos_token=special[1])
    tokenizer.add_special_tokens({"additional_special_tokens": special[2:]})
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.save_pretrained(folder)
    torch.manual_seed(7)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=hidden,
            intermediate_size=2 * hidden,
            num_hidden_layers=layers,
            num_attention_heads=4,
            max_position_embeddings=context,
            initializer_range=spread,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            bos_token_id=None,
        )
    )
    model.save_pretrained(folder)
    return folder


def make_requests(count: int, max_tokens: int) -> list[Request]:
    """Prompts of one to six sentences, in no order of length."""
    draw = random.Random(3)
    return [
        Request(
            key=f"k{number}",
            provider="local",
            model="benchmark",
            messages=[{"role": "user", "content": " ".join(draw.choices(SENTENCES, k=draw.randint(1, 6)))}],
            params={"temperature": 0.0, "max_tokens": max_tokens},
        )
        for number in range(count)
    ]


async def ask(backend: LocalBackend, requests: Sequence[Request]) -> tuple[float, dict[str, Reply]]:
    """Seconds, and the reply to each key."""
    started = time.perf_counter()
    replies: dict[str, Reply] = {}
    async for request, outcome in backend.stream(requests):
        if isinstance(outcome, Failure):
            raise SystemExit(outcome.message)
        replies[request.key] = outcome
    return time.perf_counter() - started, replies


async def measure(model: str, options: argparse.Namespace) -> None:
    requests = make_requests(options.requests, options.max_tokens)
    settings: dict[str, Any] = {"device": options.device, "dtype": options.dtype}
    single = LocalBackend(model, batch_size=1, **settings)
    batched = LocalBackend(model, batch_size=options.batch_size, **settings)
    best = {"one by one": float("inf"), "batched": float("inf")}
    replies: dict[str, dict[str, Reply]] = {}
    for backend in (single, batched):
        await ask(backend, requests[:2])  # loads, and warms the kernels up
    for _ in range(options.rounds):
        for name, backend in (("one by one", single), ("batched", batched)):
            seconds, replies[name] = await ask(backend, requests)
            best[name] = min(best[name], seconds)
    for name, seconds in best.items():
        tokens = sum(reply.tokens_out or 0 for reply in replies[name].values())
        print(f"{name:>10}: {len(requests) / seconds:8.2f} replies/s {tokens / seconds:9.1f} new tokens/s")
    same = sum(replies["one by one"][key].text == reply.text for key, reply in replies["batched"].items())
    print(f"     ratio: {best['one by one'] / best['batched']:8.2f}")
    print(f"same texts: {same} of {len(requests)} greedy replies")
    await single.aclose()
    await batched.aclose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="a folder or a hub id; without it a small model with random weights")
    parser.add_argument("--requests", type=int, default=64)
    parser.add_argument("--max-tokens", type=int, default=32)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--device")
    parser.add_argument("--dtype")
    parser.add_argument("--threads", type=int, help="of torch, on a CPU")
    options = parser.parse_args()
    if options.threads:
        import torch

        torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        model = options.model or str(make_model(Path(folder), hidden=256, layers=4, context=2048, spread=0.1))
        asyncio.run(measure(model, options))


if __name__ == "__main__":
    main()
