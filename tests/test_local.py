"""Replies from a chat model by transformers, tried on a model of 64 dimensions with random weights."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import shutil
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from auditkit.errors import AuditError, MissingExtra
from auditkit.models import local
from auditkit.models.base import Failure, Reply, Request
from auditkit.models.local import LocalBackend, local_revision
from auditkit.models.registry import Connection

ROOT = Path(__file__).parents[1]


def chat(text, key=None, sample=0, **params):
    params = {"temperature": 0.0, "max_tokens": 12} | params
    messages = [{"role": "user", "content": text}]
    return Request(
        key=key or f"{text}|{params}|{sample}",
        provider="local",
        model="tiny",
        messages=messages,
        params=params,
        sample=sample,
    )


def answer(backend, requests):
    """Every outcome in the order in which it came; the backend is closed."""

    async def collect():
        try:
            return [outcome async for outcome in backend.stream(requests)]
        finally:
            await backend.aclose()

    return asyncio.run(collect())


def replies(backend, requests):
    found = answer(backend, requests)
    assert all(isinstance(reply, Reply) for _, reply in found), found
    return {request.key: reply for request, reply in found}


def error_of(backend):
    with pytest.raises(AuditError) as caught:
        answer(backend, [chat("Hello?")])
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 600
    return message


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def torch():
    module = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    threads = module.get_num_threads()
    module.set_num_threads(1)
    yield module
    module.set_num_threads(threads)


@pytest.fixture(scope="module")
def tiny(torch, tmp_path_factory):
    spec = importlib.util.spec_from_file_location("benchmark_local", ROOT / "benchmarks" / "local.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.make_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def copy(tiny, tmp_path):
    """A copy of the tiny model that a test may change."""
    return Path(shutil.copytree(tiny, tmp_path / "copy"))


@pytest.fixture
def batches(monkeypatch):
    """The number of rows of every batch, as they are asked."""
    seen = []
    inner = local._generate

    def generate(loaded, batch, abandoned):
        seen.append(len(batch))
        return inner(loaded, batch, abandoned)

    monkeypatch.setattr(local, "_generate", generate)
    return seen


PROMPTS = [
    "Stay or go?",
    "My parents want me to take over the shop, and I would like to study in another town. What shall I do?",
    "私は家族と相談してから決めるべきでしょうか。",
    "",
    "क्या मुझे नौकरी छोड़नी चाहिए? 🙂",
    "word " * 60,
    "هل أستشير عائلتي؟",
]


class TestReplies:
    def test_batch_equals_one_by_one(self, tiny):
        """A greedy reply is the same alone, in a padded batch, and by plain transformers without any of this code."""
        from transformers import AutoModelForCausalLM, AutoTokenizer

        requests = [chat(text) for text in PROMPTS]
        alone = replies(LocalBackend(str(tiny), device="cpu", batch_size=1), requests)
        together = replies(LocalBackend(str(tiny), device="cpu", batch_size=4), requests)
        tokenizer = AutoTokenizer.from_pretrained(tiny)
        model = AutoModelForCausalLM.from_pretrained(tiny)
        for request in requests:
            inputs = tokenizer.apply_chat_template(
                request.messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
            )
            output = model.generate(**inputs, max_new_tokens=12, do_sample=False)[0]
            width = inputs["input_ids"].shape[1]
            expected = tokenizer.decode(output[width:], skip_special_tokens=True)
            for reply in (alone[request.key], together[request.key]):
                assert reply.text == (expected.rstrip("\ufffd") if reply.status == "truncated" else expected).strip()
                assert reply.tokens_in == width
                assert reply.tokens_out == len(output) - width
        assert len({reply.text for reply in alone.values()}) > len(PROMPTS) / 2  # the model does look at the prompt

    def test_every_request_once(self, tiny, batches):
        """Every request comes out once, over several windows, and equal ones are not merged."""
        requests = [chat(PROMPTS[n % 3] * (1 + n % 5), key=f"k{n // 2}", max_tokens=2) for n in range(23)]
        found = answer(LocalBackend(str(tiny), batch_size=4, window=10), requests)
        assert sorted(request.key for request, _ in found) == sorted(request.key for request in requests)
        assert sum(batches) == 23
        assert max(batches) == 4

    def test_window_is_sorted_by_length(self, tiny, monkeypatch):
        """Within a window long prompts are asked with long ones."""
        seen = []
        inner = local._generate
        monkeypatch.setattr(local, "_generate", lambda *a: seen.append([len(i.ids) for i in a[1]]) or inner(*a))
        answer(LocalBackend(str(tiny), batch_size=3), [chat("word " * n, max_tokens=1) for n in (1, 40, 3, 38, 2, 39)])
        assert [len(batch) for batch in seen] == [3, 3]
        assert min(seen[0]) > max(seen[1])

    def test_requests_are_read_lazily(self, tiny):
        """No more than a window is read ahead of the replies."""
        read = []

        def source():
            for number in range(100):
                read.append(number)
                yield chat("Go?", key=str(number), max_tokens=1)

        async def first():
            backend = LocalBackend(str(tiny), batch_size=2, window=6)
            stream = backend.stream(source())
            await anext(stream)
            await stream.aclose()
            await backend.aclose()

        asyncio.run(first())
        assert len(read) == 6

    def test_truncated_and_ended(self, copy):
        """A reply is `ok` if an end token came, `truncated` if the limit came first, and the end token is not in its text."""
        whole = replies(LocalBackend(str(copy)), [chat(PROMPTS[1])])
        (before,) = whole.values()
        assert (before.status, before.finish_reason, before.tokens_out) == ("truncated", "length", 12)
        end, place = make_end_token(copy, PROMPTS[1])
        found = replies(LocalBackend(str(copy)), [chat(PROMPTS[1]), chat(PROMPTS[1], key="cut", max_tokens=place)])
        after = found[chat(PROMPTS[1]).key]
        assert (after.status, after.finish_reason, after.tokens_out) == ("ok", "stop", place + 1)
        assert before.text.startswith(after.text)
        assert end not in after.text
        assert found["cut"].status == "truncated"
        assert found["cut"].tokens_out == place
        assert after.cost_usd == 0.0
        assert after.latency_s > 0
        assert after.reported_model == "copy"

    def test_empty_reply(self, copy):
        """A model that ends at once gives an empty reply, not a failure."""
        make_end_token(copy, PROMPTS[0], place=0)
        (reply,) = replies(LocalBackend(str(copy)), [chat(PROMPTS[0])]).values()
        assert (reply.status, reply.text, reply.tokens_out) == ("empty", "", 1)

    def test_stop_text(self, tiny):
        """A reply ends before the stop text; its neighbours without one go on to the limit."""
        requests = [chat(text, key=text) for text in (PROMPTS[1], PROMPTS[5])]
        plain = replies(LocalBackend(str(tiny)), requests)
        text = plain[PROMPTS[1]].text
        stop = next(text[n : n + 2] for n in range(3, len(text)) if text[n : n + 2] not in plain[PROMPTS[5]].text)
        stopped = replies(
            LocalBackend(str(tiny)), [chat(t, key=t, stop=["never said", stop]) for t in (PROMPTS[1], PROMPTS[5])]
        )
        assert stopped[PROMPTS[1]].text == text[: text.index(stop)].strip()
        assert stopped[PROMPTS[1]].status == "ok"
        assert stopped[PROMPTS[1]].tokens_out < 12
        assert stopped[PROMPTS[5]].text == plain[PROMPTS[5]].text
        assert stopped[PROMPTS[5]].status == "truncated"

    def test_makers_settings_are_ignored(self, copy):
        """A repetition penalty and sampling that came with the weights change nothing."""
        plain = replies(LocalBackend(str(copy)), [chat(PROMPTS[5])])
        settings = json.loads((copy / "generation_config.json").read_text())
        settings |= {"repetition_penalty": 3.0, "do_sample": True, "temperature": 5.0, "top_k": 3, "max_length": 2}
        (copy / "generation_config.json").write_text(json.dumps(settings))
        changed = replies(LocalBackend(str(copy)), [chat(PROMPTS[5])])
        assert [r.text for r in changed.values()] == [r.text for r in plain.values()]

    def test_model_without_template(self, copy):
        """A model without a chat template gets the plain text of the messages."""
        (copy / "chat_template.jinja").unlink()
        request = chat("Stay or go?")
        (reply,) = replies(LocalBackend(str(copy)), [request]).values()
        from transformers import AutoTokenizer

        assert reply.tokens_in == len(AutoTokenizer.from_pretrained(copy)("Stay or go?")["input_ids"])

    def test_reasoning_is_kept_apart(self):
        """What stands between <think> and </think> at the beginning is reasoning, and nothing else is."""
        assert local._without_reasoning("<think>\nA.\n</think>\n\nGo.", False) == ("\n\nGo.", "A.")
        assert local._without_reasoning("A.</think>Go.", True) == ("Go.", "A.")
        assert local._without_reasoning("\n<think>A and", False) == ("", "A and")
        assert local._without_reasoning("I say <think> a lot", False) == ("I say <think> a lot", None)


def make_end_token(folder, text, place=None):
    """Let a token that the model writes be the end token. Returns its text and its place (from 0) in the reply."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    inputs = tokenizer.apply_chat_template(
        chat(text).messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    output = AutoModelForCausalLM.from_pretrained(folder).generate(**inputs, max_new_tokens=12, do_sample=False)[0]
    new = output[inputs["input_ids"].shape[1] :].tolist()
    if place is None:
        place = next(n for n in range(3, len(new)) if new[n] not in new[:n])
    settings = json.loads((folder / "generation_config.json").read_text())
    settings["eos_token_id"] = [settings["eos_token_id"], new[place]]
    (folder / "generation_config.json").write_text(json.dumps(settings))
    return tokenizer.decode([new[place]]), place


class TestSampling:
    def test_reproduces(self, tiny):
        """A rerun, another batch size and another order give the same sampled replies; another seed or sample does not."""
        requests = [chat(text, sample=s, temperature=1.0, top_p=0.9) for text in PROMPTS[:4] for s in range(3)]
        one = replies(LocalBackend(str(tiny), batch_size=1), requests)
        again = replies(LocalBackend(str(tiny), batch_size=1), requests)
        batched = replies(LocalBackend(str(tiny), batch_size=5), reversed(requests))
        assert {k: r.text for k, r in one.items()} == {k: r.text for k, r in again.items()}
        assert {k: r.text for k, r in one.items()} == {k: r.text for k, r in batched.items()}
        assert len({one[chat(PROMPTS[1], sample=s, temperature=1.0, top_p=0.9).key].text for s in range(3)}) == 3
        seeded = replies(LocalBackend(str(tiny)), [chat(PROMPTS[1], key="k", temperature=1.0, seed=s) for s in (1, 2)])
        assert len(seeded) == 1  # the same key twice
        first, second = (
            replies(LocalBackend(str(tiny)), [chat(PROMPTS[1], key="k", temperature=1.0, seed=s)]) for s in (1, 2)
        )
        assert first["k"].text != second["k"].text

    def test_follows_the_distribution(self, torch):
        """Tokens are drawn with the probabilities that temperature and top_p leave them (chi-squared test)."""
        from scipy.stats import chisquare

        scores = torch.tensor([2.0, 0.5, 1.0, -1.0, 0.0, -float("inf")])
        settings = local._Settings(temperature=0.7, top_p=0.9)
        exact = (scores / 0.7).softmax(-1)
        order = exact.argsort(descending=True)
        kept = order[: int((exact[order].cumsum(0) < 0.9).sum()) + 1]
        expected = torch.zeros(6).scatter(0, kept, exact[kept])
        expected /= expected.sum()
        rows = 20_000
        draws = torch.rand(rows, 1, generator=torch.Generator().manual_seed(5))
        chosen = local._Choice(torch, 3, settings, draws)(
            torch.zeros(rows, 3, dtype=torch.long), scores.repeat(rows, 1)
        )
        counts = torch.bincount(chosen.argmax(-1), minlength=6)
        assert 0 < len(kept) < 5
        assert counts[expected == 0].sum() == 0
        share = expected[expected > 0].double()
        assert chisquare(counts[expected > 0], share / share.sum() * rows).pvalue > 1e-4

    def test_extreme_numbers(self, torch):
        """The largest number below 1 finds a token that has a probability; a tiny temperature is greedy."""
        scores = torch.tensor([[0.0, 3.0, float("-inf")]] * 2)
        draws = torch.tensor([[1.0], [0.0]])
        ids = torch.zeros(2, 1, dtype=torch.long)
        assert local._Choice(torch, 1, local._Settings(temperature=1.0), draws)(ids, scores).argmax(-1).tolist() == [
            1,
            0,
        ]
        cold = local._Choice(torch, 1, local._Settings(temperature=1e-30, top_p=0.5), draws)
        assert cold(ids, scores).argmax(-1).tolist() == [1, 1]

    def test_params_are_batched_apart(self, tiny, monkeypatch):
        """Requests with different parameters are never in one batch, and each gets its own."""
        seen = []
        inner = local._generate
        monkeypatch.setattr(local, "_generate", lambda *a: seen.append({i.settings for i in a[1]}) or inner(*a))
        requests = [chat(t, max_tokens=3 + n % 2, temperature=float(n % 3)) for n, t in enumerate(PROMPTS * 2)]
        found = answer(LocalBackend(str(tiny)), requests)
        assert len(found) == len(requests)
        assert all(len(batch) == 1 for batch in seen)
        assert len(seen) == 6
        assert all(reply.tokens_out <= request.params["max_tokens"] for request, reply in found)


class TestRefusals:
    @pytest.mark.parametrize(
        "params",
        [
            {"top_k": 5},
            {"temperature": -1},
            {"temperature": "hot"},
            {"top_p": 0},
            {"max_tokens": 0},
            {"max_tokens": True},
            {"seed": 1.5},
            {"stop": [""]},
            {"stop": 3},
        ],
    )
    def test_parameter(self, tiny, params):
        """An unknown parameter, or a value without sense, is a fatal failure that names it; other requests are answered."""
        outcomes = answer(LocalBackend(str(tiny)), [chat("Go?", key="bad", **params), chat("Go?", key="good")])
        found = {request.key: outcome for request, outcome in outcomes}
        assert isinstance(found["good"], Reply)
        assert (found["bad"].kind, found["bad"].final) == ("fatal", True)
        assert next(iter(params)) in found["bad"].message

    def test_absent_values(self):
        """A parameter that is None is not set; a single stop text is a list of one."""
        assert local._Settings.read({"temperature": None, "stop": "x"}) == local._Settings(stop=("x",))

    def test_prompt_longer_than_context(self, tiny):
        """A prompt that leaves no room is rejected; one that leaves a little is answered as far as it goes."""
        found = {
            r.key: o
            for r, o in answer(LocalBackend(str(tiny)), [chat("x " * 600, key="long"), chat("go", key="short")])
        }
        assert (found["long"].kind, found["long"].final) == ("rejected", True)
        assert "512" in found["long"].message
        assert isinstance(found["short"], Reply)
        letters = 512 - replies(LocalBackend(str(tiny)), [chat("", key="none")])["none"].tokens_in - 5
        (reply,) = replies(LocalBackend(str(tiny)), [chat("Q" * letters)]).values()
        assert (reply.tokens_in, reply.tokens_out, reply.status) == (507, 5, "truncated")

    def test_messages_that_the_template_refuses(self, copy):
        """What a template or tokenizer raises is that request's failure; the others are answered."""
        template = (
            "{% if messages[0].content == 'no' %}{{ raise_exception('not this') }}{% endif %}{{ messages[0].content }}"
        )
        (copy / "chat_template.jinja").write_text(template)
        requests = [
            chat("no", key="no"),
            chat("yes", key="yes"),
            chat("half \ud800 letter", key="half"),
            chat("", key="none"),
        ]
        found = {request.key: outcome for request, outcome in answer(LocalBackend(str(copy)), requests)}
        assert "not this" in found["no"].message
        assert isinstance(found["yes"], Reply)
        assert all(isinstance(found[key], Failure) and found[key].final for key in ("no", "half", "none"))
        assert {found[key].kind for key in ("no", "half", "none")} == {"rejected"}


class TestTrouble:
    @pytest.mark.parametrize("kind", ["cuda", "runtime"])
    def test_out_of_memory_halves(self, tiny, torch, monkeypatch, kind):
        """A batch that does not fit is cut in half until it does, later ones keep below, and nothing is lost or asked twice."""
        requests = [chat(f"Question {n:02}?", max_tokens=2) for n in range(20)]
        expected = replies(LocalBackend(str(tiny), batch_size=16), requests)
        error = (
            torch.cuda.OutOfMemoryError("CUDA out of memory. Tried")
            if kind == "cuda"
            else RuntimeError("MPS backend out of memory")
        )
        seen = []
        inner = local._generate

        def generate(loaded, batch, abandoned):
            seen.append(len(batch))
            if len(batch) > 5:
                raise error
            return inner(loaded, batch, abandoned)

        monkeypatch.setattr(local, "_generate", generate)
        found = answer(LocalBackend(str(tiny), batch_size=16), requests)
        assert seen == [16, 8, 4, 4, 4, 4, 4]
        assert len(found) == 20
        assert {r.key: o.text for r, o in found} == {key: reply.text for key, reply in expected.items()}

    def test_out_of_memory_alone(self, tiny, monkeypatch):
        """A single prompt that does not fit is its own final failure, and the shorter ones are answered."""
        inner = local._generate

        def generate(loaded, batch, abandoned):
            if any(len(item.ids) > 50 for item in batch):
                raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
            return inner(loaded, batch, abandoned)

        monkeypatch.setattr(local, "_generate", generate)
        requests = [chat("long " * 60, key="long"), *(chat(f"{n}?", key=str(n), max_tokens=2) for n in range(5))]
        found = {request.key: outcome for request, outcome in answer(LocalBackend(str(tiny)), requests)}
        assert found["long"].final
        assert "memory" in found["long"].message
        assert all(isinstance(found[str(n)], Reply) for n in range(5))

    def test_a_broken_batch_loses_only_itself(self, tiny, monkeypatch):
        """Whatever else a batch raises is the failure of its requests; after three in a row the model is given up."""
        inner = local._generate
        calls = []

        def generate(loaded, batch, abandoned):
            calls.append(batch)
            if len(calls) != 2:
                raise RuntimeError("the kernel\nfell over")
            return inner(loaded, batch, abandoned)

        monkeypatch.setattr(local, "_generate", generate)
        found = answer(LocalBackend(str(tiny), batch_size=1), [chat("Go?", key=str(n), max_tokens=1) for n in range(9)])
        outcomes = [outcome for _, outcome in found]
        assert isinstance(outcomes[1], Reply)
        assert [o.final for o in outcomes if isinstance(o, Failure)] == [True] * 4
        assert "the kernel fell over" in outcomes[0].message
        assert len(outcomes) == 5

    def test_scores_that_are_not_numbers(self, copy, torch):
        """A model that overflows fails and says so; its gibberish is never a reply."""
        from safetensors.torch import load_file, save_file

        weights = load_file(copy / "model.safetensors")
        weights["model.norm.weight"] *= float("nan")
        save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
        for temperature in (0.0, 1.0):
            ((_, failure),) = answer(LocalBackend(str(copy)), [chat("Go?", temperature=temperature)])
            assert isinstance(failure, Failure)
            assert "not numbers in float32" in failure.message

    def test_wish_to_stop(self, tiny):
        """A wish to stop ends after the batch under way, and all of that batch comes out."""
        stop = Connection().stop
        found = []

        async def ask():
            backend = LocalBackend(str(tiny), stop=stop, batch_size=3)
            async for request, _ in backend.stream(chat("Go?", key=str(n), max_tokens=1) for n in range(12)):
                found.append(request.key)
                stop.request("test")
            await backend.aclose()

        asyncio.run(ask())
        assert len(found) == 3

    def test_cancelling_ends_the_generation(self, tiny, monkeypatch):
        """A cancelled stream leaves no thread that goes on writing, and the loop was alive meanwhile."""
        seen = {"steps": 0}
        started = threading.Event()
        inner = local._Choice.__call__

        def counted(self, input_ids, scores):
            seen["steps"] += 1
            started.set()
            return inner(self, input_ids, scores)

        monkeypatch.setattr(local._Choice, "__call__", counted)

        async def ask():
            backend = LocalBackend(str(tiny))
            task = asyncio.ensure_future(anext(backend.stream([chat("Go?", max_tokens=480)])))
            assert await asyncio.to_thread(started.wait, 60)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await backend.aclose()

        asyncio.run(ask())  # waits for the thread
        assert 0 < seen["steps"] < 480

    def test_no_request_loads_nothing(self, tiny, monkeypatch):
        """Without a request, or with none that can be asked, the model is not loaded."""
        monkeypatch.setattr(LocalBackend, "_load", lambda self: pytest.fail("loaded"))
        assert answer(LocalBackend(str(tiny)), []) == []
        assert len(answer(LocalBackend(str(tiny)), [chat("Go?", top_k=3)])) == 1

    def test_loads_once_and_again_after_close(self, tiny, monkeypatch):
        """Two streams share the loaded model; after `aclose` it is gone, and a stream loads it anew."""
        loads = []
        inner = LocalBackend._load
        monkeypatch.setattr(LocalBackend, "_load", lambda self: loads.append(1) or inner(self))

        async def ask():
            backend = LocalBackend(str(tiny))
            for _ in range(2):
                assert [o async for o in backend.stream([chat("Go?", max_tokens=1)])]
            await backend.aclose()
            await backend.aclose()
            assert backend._loaded is None
            assert [o async for o in backend.stream([chat("Go?", max_tokens=1)])]
            await backend.aclose()

        asyncio.run(ask())
        assert len(loads) == 2

    def test_nothing_on_the_terminal(self, tiny):
        """Loading and asking write nothing to the user's terminal."""
        code = (
            "import asyncio, sys\n"
            "from auditkit.models.base import Request\n"
            "from auditkit.models.local import LocalBackend\n"
            "async def main():\n"
            "    backend = LocalBackend(sys.argv[1], device='cpu')\n"
            "    request = Request('k', 'local', 'm', [{'role': 'user', 'content': 'Go?'}], {'max_tokens': 2})\n"
            "    found = [o async for o in backend.stream([request])]\n"
            "    assert found[0][1].text is not None\n"
            "    await backend.aclose()\n"
            "asyncio.run(main())\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(tiny)], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


class TestLoading:
    def test_bad_folders(self, tmp_path):
        """What cannot be a model is said in one line, before anything is loaded."""
        pytest.importorskip("torch")
        (tmp_path / "empty").mkdir()
        (tmp_path / "some.gguf").write_bytes(b"GGUF")
        for name, sign in (("empty", "config.json"), ("none", "no such folder"), ("some.gguf", "gguf:PATH")):
            with pytest.raises(AuditError, match=sign):
                LocalBackend(str(tmp_path / name))

    @pytest.mark.parametrize("lost", ["model.safetensors", "tokenizer.json"])
    def test_missing_file(self, copy, lost):
        """A folder without weights or tokenizer is one line that names the model."""
        (copy / lost).unlink()
        assert f"local/{copy} cannot be loaded" in error_of(LocalBackend(str(copy)))

    def test_damaged_config(self, copy):
        """A folder whose config.json is broken, or of an unknown kind of model, is one line."""
        (copy / "config.json").write_text("{")
        assert "cannot be loaded" in error_of(LocalBackend(str(copy)))
        (copy / "config.json").write_text('{"model_type": "no-such-kind"}')
        assert "cannot be loaded" in error_of(LocalBackend(str(copy)))

    def test_weights_that_lack_a_part(self, copy):
        """Weights that would be filled up with random numbers are refused."""
        from safetensors.torch import load_file, save_file

        weights = load_file(copy / "model.safetensors")
        del weights["model.layers.1.mlp.up_proj.weight"]
        save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
        assert "model.layers.1.mlp.up_proj.weight" in error_of(LocalBackend(str(copy)))

    def test_hub_id_that_cannot_be_fetched(self, torch, monkeypatch):
        """A hub id that cannot be fetched is one line that says what to check."""
        import huggingface_hub.constants

        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
        assert "check the name" in error_of(LocalBackend("nobody/no-such-model"))

    def test_settings(self, tiny, torch, monkeypatch):
        """Unknown dtypes, sizes and devices are one line each; a GPU that is not there too."""
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
        with pytest.raises(AuditError, match="bfloat16"):
            LocalBackend(str(tiny), dtype="bfloat15")
        with pytest.raises(AuditError, match="at least 1"):
            LocalBackend(str(tiny), batch_size=0)
        assert "torch sees none" in error_of(LocalBackend(str(tiny), device="cuda:1"))
        assert "unknown device" in error_of(LocalBackend(str(tiny), device="toaster"))

    def test_dtype(self, tiny, torch):
        """A dtype that is asked for is the one used, and the CPU's own is float32."""
        for wish, dtype in ((None, torch.float32), ("bf16", torch.bfloat16), ("auto", torch.float32)):
            backend = LocalBackend(str(tiny), device="cpu", dtype=wish)
            assert backend._load().model.dtype is dtype

    def test_choice_of_device_and_dtype(self, torch):
        """cuda before mps before cpu; bfloat16 on GPUs that have it, float16 on others."""

        def machine(cuda, mps, bf16=True):
            return SimpleNamespace(
                device=torch.device,
                float16=torch.float16,
                bfloat16=torch.bfloat16,
                float32=torch.float32,
                backends=SimpleNamespace(mps=SimpleNamespace(is_available=lambda: mps)),
                cuda=SimpleNamespace(
                    is_available=lambda: cuda,
                    device_count=lambda: int(cuda),
                    is_bf16_supported=lambda including_emulation: bf16,
                ),
            )

        assert [local.choose_device(machine(*m), None).type for m in ((1, 1), (0, 1), (0, 0))] == [
            "cuda",
            "mps",
            "cpu",
        ]
        cuda = torch.device("cuda")
        assert local._choose_dtype(machine(True, False), cuda) is torch.bfloat16
        assert local._choose_dtype(machine(True, False, bf16=False), cuda) is torch.float16

    def test_missing_packages(self, tmp_path, monkeypatch):
        """Without torch the error says what to install."""
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        with pytest.raises(MissingExtra, match=r"auditkit\[local\]"):
            LocalBackend(str(tmp_path))

    def test_files_changed_since_the_plan(self, copy):
        """Weights that are not those of the plan are not asked."""
        planned = local_revision(str(copy))
        assert len(answer(LocalBackend(str(copy), revision=planned), [chat("Go?", max_tokens=1)])) == 1
        (copy / "chat_template.jinja").write_text("{{ messages[0].content }}")
        assert "plan again" in error_of(LocalBackend(str(copy), revision=planned))


class TestRevision:
    def test_folder(self, tmp_path):
        """A folder's revision follows the names and bytes of its files, below it too, and nothing else."""
        folder = tmp_path / "model"
        (folder / "extra").mkdir(parents=True)
        (folder / "config.json").write_text("{}")
        (folder / "extra" / "weights.bin").write_bytes(b"\x00" * 1000)
        first = local_revision(str(folder))
        assert first.startswith("w1:")
        (folder / ".cache").mkdir()
        (folder / ".cache" / "lock").write_text("x")
        (folder / ".note").write_text("x")
        assert local_revision(str(folder), "main") == first
        moved = shutil.copytree(folder, tmp_path / "moved")
        assert local_revision(str(moved)) == first
        (folder / "extra" / "weights.bin").write_bytes(b"\x00" * 999 + b"\x01")
        second = local_revision(str(folder))
        (folder / "config.json").rename(folder / "config2.json")
        assert len({first, second, local_revision(str(folder))}) == 3

    def test_hub_id(self, tmp_path, monkeypatch):
        """A hub id's revision is the one given, else the commit that the local cache holds, else unknown."""
        assert local_revision("org/model") is None
        assert local_revision("org/model", "v2") == "v2"
        for variable, hub in (
            ("XDG_CACHE_HOME", tmp_path / "a" / "huggingface" / "hub"),
            ("HF_HOME", tmp_path / "b" / "hub"),
            ("HF_HUB_CACHE", tmp_path / "c"),
        ):
            refs = hub / "models--org--model" / "refs"
            refs.mkdir(parents=True)
            (refs / "main").write_text(f"commit of {variable}\n")
            monkeypatch.setenv(variable, str(tmp_path / refs.relative_to(tmp_path).parts[0]))
            assert local_revision("org/model") == f"commit of {variable}"

    @pytest.mark.parametrize("name", ["./none", "/none/at/all", "~/none", "a/b/c", "C:\\models\\x", ""])
    def test_path_that_is_not_there(self, name, tmp_path, monkeypatch):
        """What is written like a path and is no folder is an error in one line."""
        monkeypatch.chdir(tmp_path)
        with pytest.raises(AuditError, match="no such folder") as caught:
            local_revision(name)
        assert "\n" not in str(caught.value)

    def test_imports_nothing_heavy(self):
        """The revision is found without importing torch or transformers."""
        code = (
            "import sys; from auditkit.models.local import local_revision; local_revision('org/model'); "
            "local_revision('auditkit/models'); "
            "assert not {'torch', 'transformers', 'tokenizers', 'huggingface_hub', 'numpy'} & set(sys.modules)"
        )
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


class TestCommandLine:
    """The whole path, from the name of a folder to a verdict."""

    def test_a_folder_is_audited_like_any_model(self, tiny, auditkit):
        """`--model local/FOLDER` asks, stores, judges and verifies; the files' digest identifies the model, not its place."""
        result = auditkit(
            "run", "-d", "mas", "-m", "persona", "--model", f"local/{tiny}", "--limit", 6, "--param", "max_tokens=8"
        )
        assert result.code == 0, result.err
        assert "6/6" in result.out
        with sqlite3.connect("auditkit.db") as db:
            assert db.execute("select count(*), sum(cost_usd) from replies").fetchone() == (6, 0.0)
            model, revision = db.execute("select distinct model, revision from requests").fetchone()
        assert model == tiny.name
        assert revision.startswith("w1:")
        assert auditkit("verify").code == 0
