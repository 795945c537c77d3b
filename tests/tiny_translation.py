"""A bank of three dilemmas, its German, and an NLLB-shaped model that has learnt it by heart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

INSTRUCTION = "Please choose one of the two. Answer in two sentences."
DILEMMAS: dict[str, dict[str, Any]] = {
    "own-01": {
        "core": True,
        "scenario": [
            "My neighbour and I share a garden.",
            "We could plant vegetables, because fresh food is healthy.",
            "We could plant flowers, because many people enjoy them.",
        ],
        "a": "plant vegetables",
        "b": "plant flowers",
    },
    "own-02": {
        "core": True,
        "scenario": [
            "My sister invites 12 friends to a party.",
            "I could cook a meal at home, because that is cheap.",
            "I could order pizza, because that is fast.",
        ],
        "a": "cook a meal at home",
        "b": "order pizza",
    },
    "own-03": {
        "core": False,
        "scenario": [
            "Our club has a new room with a large window.",
            "I could paint the walls white, because light is pleasant.",
            "I could hang pictures, because pictures tell stories.",
        ],
        "a": "paint the walls white",
        "b": "hang pictures",
    },
}
# own-02's options are worded alone as no question words them; the first sentence of own-03 stays English.
GERMAN = {
    "Please choose one of the two.": "Bitte wählen Sie eine der beiden Möglichkeiten.",
    "Answer in two sentences.": "Antworten Sie in zwei Sätzen.",
    "I live in Germany.": "Ich lebe in Deutschland.",
    "My neighbour and I share a garden.": "Mein Nachbar und ich teilen uns einen Garten.",
    "We could plant vegetables, because fresh food is healthy.": "Wir könnten Gemüse pflanzen, weil frisches Essen gesund ist.",
    "We could plant flowers, because many people enjoy them.": "Wir könnten Blumen pflanzen, weil viele Menschen sich daran freuen.",
    "plant vegetables": "Gemüse pflanzen.",
    "plant flowers": "Blumen pflanzen.",
    "Should I plant vegetables or plant flowers?": "Soll ich Gemüse pflanzen oder Blumen pflanzen?",
    "Should I plant flowers or plant vegetables?": "Soll ich Blumen pflanzen oder Gemüse pflanzen?",
    "My sister invites 12 friends to a party.": "Meine Schwester lädt 12 Freunde zu einer Feier ein.",
    "I could cook a meal at home, because that is cheap.": "Ich könnte zu Hause ein Essen kochen, weil das billig ist.",
    "I could order pizza, because that is fast.": "Ich könnte Pizza bestellen, weil das schnell geht.",
    "cook a meal at home": "Bereiten Sie eine Mahlzeit daheim zu.",
    "order pizza": "Bestellen Sie eine Pizza.",
    "Should I cook a meal at home or order pizza?": "Soll ich zu Hause ein Essen kochen oder Pizza bestellen?",
    "Should I order pizza or cook a meal at home?": "Soll ich Pizza bestellen oder zu Hause ein Essen kochen?",
    "Our club has a new room with a large window.": "Our club has a new room with a large window.",
    "I could paint the walls white, because light is pleasant.": "Ich könnte die Wände weiß streichen, weil Licht angenehm ist.",
    "I could hang pictures, because pictures tell stories.": "Ich könnte Bilder aufhängen, weil Bilder Geschichten erzählen.",
    "paint the walls white": "die Wände weiß streichen",
    "hang pictures": "Bilder aufhängen",
    "Should I paint the walls white or hang pictures?": "Soll ich die Wände weiß streichen oder Bilder aufhängen?",
    "Should I hang pictures or paint the walls white?": "Soll ich Bilder aufhängen oder die Wände weiß streichen?",
}
ENGLISH = {german: english for english, german in GERMAN.items()}
# what the options are translated back from: without a full stop, or as the questions word them
ENGLISH |= {
    "Gemüse pflanzen": "plant vegetables",
    "Blumen pflanzen": "plant flowers",
    "zu Hause ein Essen kochen": "cook a meal at home",
    "Pizza bestellen": "order pizza",
}


def write_bank(folder: Path) -> list[str]:
    """Prompts and personas in `folder`, and the options of a command that name them."""
    prompts, personas = folder / "prompts", folder / "personas"
    (prompts / "dilemmas").mkdir(parents=True)
    personas.mkdir()
    shared = {"domain": "community", "lead": "a", "mentions": "a", "rationale": "a: first; b: second."}
    entries = [{"id": name, **shared, **entry} for name, entry in DILEMMAS.items()]
    _write(prompts / "dilemmas" / "own.yaml", {"dimension": "individualism", "dilemmas": entries})
    question = "Should I {first} or {second}?"
    _write(prompts / "messages.yaml", {"version": 1, "question": question, "instruction": INSTRUCTION})
    template = {"id": "residence", "strength": "residence", "text": "I live in {country}."}
    _write(personas / "templates.yaml", {"default": "residence", "templates": [template]})
    return ["--prompts", str(prompts), "--personas", str(personas)]


def _write(path: Path, value: Any) -> None:
    path.write_text(yaml.safe_dump(value, sort_keys=False, allow_unicode=True), encoding="utf-8")


def make_tokenizer() -> Any:
    """A tokenizer of NLLB's kind that knows the sentences above."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import NllbTokenizer

    bare = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    bare.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=True)
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = trainers.BpeTrainer(vocab_size=1000, special_tokens=special, show_progress=False)
    bare.train_from_iterator([*GERMAN, *GERMAN.values()], trainer)
    parts = json.loads(bare.to_str())["model"]
    merges = [tuple(pair) for pair in parts["merges"]]
    return NllbTokenizer(vocab=parts["vocab"], merges=merges, extra_special_tokens=["eng_Latn", "deu_Latn"])


def make_model(size: int, *, width: int = 64, layers: int = 1, seed: int = 1) -> Any:
    """An NLLB-shaped model with random weights."""
    import torch
    from transformers import M2M100Config, M2M100ForConditionalGeneration, logging

    logging.disable_progress_bar()
    torch.manual_seed(seed)
    off = dict.fromkeys(("dropout", "attention_dropout", "activation_dropout", "encoder_layerdrop", "decoder_layerdrop"), 0.0)  # fmt: skip
    shape = {"encoder_layers": layers, "decoder_layers": layers, "encoder_ffn_dim": 2 * width, "decoder_ffn_dim": 2 * width}  # fmt: skip
    heads = {"encoder_attention_heads": 4, "decoder_attention_heads": 4}
    ids = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 2}
    return M2M100ForConditionalGeneration(M2M100Config(vocab_size=size, d_model=width, **shape, **heads, **ids, **off))


def save(folder: Path, model: Any, tokenizer: Any) -> Path:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def train(folder: Path) -> Path:
    """A model that has learnt both directions by heart, in a folder of transformers' format."""
    import torch

    tokenizer = make_tokenizer()
    model = make_model(len(tokenizer))
    pairs = [(s, "eng_Latn", t, "deu_Latn") for s, t in GERMAN.items()]
    pairs += [(s, "deu_Latn", t, "eng_Latn") for s, t in ENGLISH.items()]

    def ids(text: str, code: str) -> list[int]:
        tokenizer.src_lang = code
        return tokenizer(text)["input_ids"]

    def tensor(rows: list[list[int]], filling: int) -> Any:
        width = max(map(len, rows))
        return torch.tensor([row + [filling] * (width - len(row)) for row in rows])

    sources = tensor([ids(text, code) for text, code, _, _ in pairs], 1)
    targets = [ids(text, code) for _, _, text, code in pairs]
    labels, decoder = tensor(targets, -100), tensor([[2, *row[:-1]] for row in targets], 1)
    optimiser = torch.optim.Adam(model.parameters(), lr=6e-3, betas=(0.9, 0.98))
    warm_up = torch.optim.lr_scheduler.LinearLR(optimiser, start_factor=0.05, total_iters=20)
    for _ in range(600):
        loss = model(
            input_ids=sources, attention_mask=(sources != 1).long(), decoder_input_ids=decoder, labels=labels
        ).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        warm_up.step()
        if loss.item() < 0.006:
            return save(folder, model.eval(), tokenizer)
    raise AssertionError(f"the model has not learnt its sentences: loss {loss.item():.3f}")
