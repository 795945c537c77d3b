"""Sentences a second of NLLB: one a call by transformers, against length-sorted batches by transformers and by CTranslate2.

    python benchmarks/translate.py                      random weights in the shape of NLLB's distilled 600M model
    python benchmarks/translate.py --model FOLDER       weights that you have
    python benchmarks/translate.py --threads 1 --sentences 16 --max-tokens 10

The sentences are the bank's. Every way has the same beam and the same limit of new tokens, in a process of its own, `--rounds` times in
turn; the best round counts, loading does not. On a machine that others use, compare the CPU time with `--threads 1`. Random weights seldom come to an end, so that nearly all sentences get `--max-tokens`
tokens; trained ones stop earlier, in every way alike. Memory is the process's peak, torch or CTranslate2 included.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditkit.data import load_content
from auditkit.translate.engines import Decoding
from auditkit.translate.sentences import passages

if TYPE_CHECKING:
    from auditkit.translate.engines import Engine

WAYS = ("one by one", "transformers", "ctranslate2 int8")
SHAPE = {
    "d_model": 1024, "encoder_layers": 12, "decoder_layers": 12, "encoder_ffn_dim": 4096, "decoder_ffn_dim": 4096,
    "encoder_attention_heads": 16, "decoder_attention_heads": 16, "max_position_embeddings": 1024,
}  # fmt: skip


def bank_sentences(count: int) -> list[str]:
    """Sentences of the bank, in no order of length."""
    found = [part for dilemma in load_content().dilemmas.values() for part in passages(dilemma.text)]
    return random.Random(3).sample(found, count)


def make_model(folder: Path, vocabulary: int) -> Path:
    """Write a model of SHAPE with random weights, and a tokenizer that knows the bank's English, into `folder`."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import M2M100Config, M2M100ForConditionalGeneration, NllbTokenizer, logging

    logging.disable_progress_bar()
    bare = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    bare.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=True)
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = trainers.BpeTrainer(vocab_size=4000, special_tokens=special, show_progress=False)
    bare.train_from_iterator(bank_sentences(1500), trainer)
    parts = json.loads(bare.to_str())["model"]
    merges = [tuple(pair) for pair in parts["merges"]]
    tokenizer = NllbTokenizer(vocab=parts["vocab"], merges=merges, extra_special_tokens=["eng_Latn", "deu_Latn"])
    tokenizer.save_pretrained(folder)
    torch.manual_seed(7)
    ids = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 2}
    model = M2M100ForConditionalGeneration(M2M100Config(vocab_size=vocabulary, **SHAPE, **ids))
    model.save_pretrained(folder)
    return folder


def make_engine(way: str, model: str, batch_size: int, decoding: Decoding) -> Engine:
    from auditkit.translate.ct2 import Ct2Engine
    from auditkit.translate.nllb import NllbEngine

    if way == "ctranslate2 int8":
        return Ct2Engine(model, device="cpu", batch_size=batch_size, decoding=decoding, quantisation="int8")
    return NllbEngine(model, device="cpu", batch_size=1 if way == "one by one" else batch_size, decoding=decoding)


def measure(way: str, options: argparse.Namespace) -> dict[str, Any]:
    """One way in this process: sentences a second, CPU seconds and new tokens a sentence, and the peak of its memory in MB."""
    decoding = Decoding(beam=options.beam, max_tokens=options.max_tokens)
    engine = make_engine(way, options.model, options.batch_size, decoding)
    sentences = bank_sentences(options.sentences)
    if way == "one by one":  # it is slow, and no faster with more of them
        sentences = sentences[: max(4, options.sentences // 4)]
    else:
        sentences.sort(key=len, reverse=True)
    engine.translate(sentences[:1], "eng_Latn", "deu_Latn")  # loads
    tokens = 0
    started, busy = time.perf_counter(), time.process_time()
    for start in range(0, len(sentences), engine.batch_size):
        made = engine.translate(sentences[start : start + engine.batch_size], "eng_Latn", "deu_Latn")
        tokens += sum(result.tokens for result in made)
    seconds, busy = time.perf_counter() - started, time.process_time() - busy
    count = len(sentences)
    return {"rate": count / seconds, "busy": busy / count, "tokens": tokens / count, "peak": peak_memory()}


def peak_memory() -> float:
    """Peak resident megabytes of this process; where Linux does not tell, those of its parent count too."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="a folder or a hub id; without it random weights, made on the spot")
    parser.add_argument("--vocabulary", type=int, default=256_206, help="of the random weights; NLLB's by default")
    parser.add_argument("--sentences", type=int, default=32)
    parser.add_argument("--max-tokens", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--beam", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, help="of each way; default: as many as the library takes")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)  # what a process of its own is started with
    options = parser.parse_args()
    if options.way:
        print(json.dumps(measure(options.way, options)))
        return
    with tempfile.TemporaryDirectory() as folder:
        if not options.model:
            options.model = str(make_model(Path(folder) / "model", options.vocabulary))
            os.environ["XDG_CACHE_HOME"] = folder  # where the conversion goes, so that nothing stays
            make_engine("ctranslate2 int8", options.model, 1, Decoding()).translate([], "eng_Latn", "deu_Latn")
        best: dict[str, dict[str, Any]] = {}
        for _ in range(options.rounds):
            for way in WAYS:
                found = _in_a_process(way, options)
                if way not in best or found["rate"] > best[way]["rate"]:
                    best[way] = found
    print(f"beam {options.beam}, batches of {options.batch_size}, best of {options.rounds} rounds")
    for way, found in best.items():
        naive = best["one by one"]
        print(
            f"{way:>17}: {found['rate']:6.2f} sentences/s x{found['rate'] / naive['rate']:.1f}   "
            f"{found['busy']:6.2f} CPU s a sentence x{naive['busy'] / found['busy']:.1f}   "
            f"{found['tokens']:.0f} new tokens each   peak {found['peak']:,.0f} MB"
        )


def _in_a_process(way: str, options: argparse.Namespace) -> dict[str, Any]:
    names = ("model", "sentences", "max_tokens", "batch_size", "beam")
    arguments = [part for name in names for part in (f"--{name.replace('_', '-')}", str(getattr(options, name)))]
    threads = {"OMP_NUM_THREADS": str(options.threads)} if options.threads else {}
    command = [sys.executable, __file__, "--way", way, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **threads})
    if done.returncode:
        raise SystemExit(done.stderr)
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


if __name__ == "__main__":
    main()
