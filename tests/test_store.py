"""The database: migrations, one writer, readers, secrets, and text of any kind."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditkit.data import data_dir
from auditkit.errors import AuditError, StoreError
from auditkit.models.base import Failure, Reply
from auditkit.store import Store, migrations, redact, statements, storable


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "a.db") as opened:
        opened.begin_run("r1:one", "auditkit run", {"a": 1})
        opened.insert(
            "requests",
            [
                {
                    "request_key": "k1:x",
                    "provider": "p",
                    "model": "m",
                    "revision": None,
                    "messages": "[]",
                    "params": "{}",
                    "sample": 0,
                }
            ],
        )
        yield opened


def schema(connection):
    found = connection.execute(
        "select type, name, sql from sqlite_master where sql is not null and name not like '%\\_sqlite%' escape '\\'"
    )
    return sorted((t, n, " ".join(s.split())) for t, n, s in found)


def test_the_readable_schema_is_what_the_migrations_make(store):
    """store/schema.sql and the migrations describe the same tables, views and indexes."""
    plain = sqlite3.connect(":memory:")
    for statement in statements((data_dir("store") / "schema.sql").read_text(encoding="utf-8")):
        plain.execute(statement)
    assert schema(store.connection) == schema(plain)


def test_a_database_of_a_newer_version_is_refused_and_left_alone(tmp_path):
    """It cannot be known what a newer schema means: one line, and nothing is written."""
    path = tmp_path / "a.db"
    Store.open(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"pragma user_version = {len(migrations()) + 1}")
    before = path.read_bytes()
    for opener in (Store.open, Store.read):
        with pytest.raises(StoreError, match="newer auditkit"):
            opener(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_or_somebody_elses_is_refused(tmp_path):
    """Neither a text file nor another program's database is written to."""
    text = tmp_path / "notes.db"
    text.write_text("just some notes, and more than enough of them to be read as a header" * 5)
    with pytest.raises(StoreError, match="not a database"):
        Store.open(text)
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("create table photos (id integer)")
    with pytest.raises(StoreError, match="something else"):
        Store.open(other)


def test_places_that_cannot_be_written_are_named(tmp_path):
    """A folder, and a folder that does not exist, get a line each; reading nothing says how to make it."""
    with pytest.raises(StoreError, match="is a folder"):
        Store.open(tmp_path)
    with pytest.raises(StoreError, match="does not exist"):
        Store.open(tmp_path / "no" / "a.db")
    with pytest.raises(StoreError, match="no such database"):
        Store.read(tmp_path / "a.db")


def test_one_writer_at_a_time_and_readers_beside_it(store):
    """A second writer is refused; a reader sees what was committed and cannot write."""
    with pytest.raises(StoreError, match="being written"):
        Store.open(store.path)
    with Store.read(store.path) as reader:
        assert reader.latest_run()["run_id"] == "r1:one"
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader.connection.execute("delete from runs")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.text())
def test_any_text_is_stored_as_it_came(store, text):
    """Control characters, NUL, right-to-left marks, emoji: what is read is what was written."""
    store.connection.execute("delete from replies")
    store.record("r1:one", "k1:x", Reply("ok", text))
    assert store.value("select text from replies") == text


def test_a_lone_surrogate_becomes_the_replacement_character():
    """The one thing that no UTF-8 file can hold is replaced, visibly."""
    assert storable("a\ud800b") == "a\ufffdb"
    assert storable("a\U0001f600b") == "a\U0001f600b"


def test_a_hundred_kilobytes_are_stored(store):
    """A very long reply is a reply."""
    store.record("r1:one", "k1:x", Reply("ok", "x\x1b[31m" * 20_000))
    assert store.value("select length(text) from replies") == 120_000


def test_a_failure_is_an_attempt_and_never_a_reply(store):
    """Every call is counted; only answers are replies; a second answer to the same request changes nothing."""
    store.record("r1:one", "k1:x", Failure("rate_limited", "slow down", http_status=429))
    assert store.value("select count(*) from replies") == 0
    store.record("r1:one", "k1:x", Reply("ok", "first"))
    store.record("r1:one", "k1:x", Reply("ok", "second"))
    assert store.value("select text from replies") == "first"
    assert [tuple(r) for r in store.rows("select outcome, http_status from attempts")] == [
        ("rate_limited", 429),
        ("ok", None),
        ("ok", None),
    ]


def test_the_database_refuses_a_label_on_a_verdict_that_failed_to_parse(store):
    """parse_failed with an outcome, and a choice without an option, are impossible rows."""
    store.record("r1:one", "k1:x", Reply("ok", "text"))
    store.insert(
        "judges", [{"judge_key": "j1:j", "name": "j", "kind": "llm", "task": "stance", "model": None, "config": "{}"}]
    )
    row = {"request_key": "k1:x", "judge_key": "j1:j", "presentation": "ab", "raw": "", "created_at": "now"}
    for bad in (
        {"status": "parse_failed", "outcome": "chose", "option_id": "a"},
        {"status": "ok", "outcome": "chose", "option_id": None},
        {"status": "ok", "outcome": None, "option_id": None},
    ):
        with pytest.raises(sqlite3.IntegrityError), store.transaction() as db:
            columns = {**row, **bad}
            db.execute(
                f"insert into verdicts ({','.join(columns)}) values ({','.join('?' * len(columns))})",
                list(columns.values()),
            )


def test_a_run_is_found_by_the_beginning_of_its_id(store):
    """An unknown beginning gets the nearest id; one that fits two runs names both."""
    assert store.latest_run("on")["run_id"] == "r1:one"
    store.begin_run("r1:onto", "", {})
    with pytest.raises(AuditError, match="fits 2 runs"):
        store.latest_run("on")
    with pytest.raises(AuditError, match="unknown run"):
        store.latest_run("zzz")


@pytest.mark.parametrize(
    "message",
    [
        "Incorrect API key provided: sk-proj-abcdEFGH1234",
        "Authorization: Bearer abcdefghijklmnop",
        "https://host/v1?key=AIzaSyD-abcdefgh12345&alt=json",
        "the token xyzzy-from-the-environment is wrong",
    ],
)
def test_messages_are_stored_without_keys(message, monkeypatch):
    """What looks like a key, and the value of any key in the environment, is taken out."""
    monkeypatch.setenv("SOME_API_KEY", "xyzzy-from-the-environment")
    shown = redact(message)
    assert "[key]" in shown
    for secret in ("abcdEFGH1234", "abcdefghijklmnop", "AIzaSyD", "xyzzy-from"):
        assert secret not in shown


def test_an_ordinary_message_is_left_as_it_is():
    """Redaction does not eat words."""
    message = "The task was stopped: risk-free results are not available for model skyline-7."
    assert redact(message) == message


def test_blocked_replies_can_be_forgotten_and_others_cannot(store):
    """--retry-blocked makes only blocked requests pending again."""
    store.record("r1:one", "k1:x", Reply("blocked", ""))
    assert store.forget_blocked("r1:one") == 0  # no cell of this run asks for it


def test_a_row_that_breaks_a_check_is_an_error_and_takes_its_transaction_back(store):
    """A verdict or flag that the schema refuses is never dropped in silence: the call that brought it is not recorded either."""
    store.record("r1:one", "k1:x", Reply(text="yes", status="ok"))
    judge = {"judge_key": "j1:x", "name": "x", "kind": "llm", "task": "stance", "model": None, "config": "{}"}
    store.ask_judge("r1:one", judge, [""])
    broken = {"request_key": "k1:x", "judge_key": "j1:x", "presentation": "", "status": "ok", "outcome": "chose"}
    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        store.record(
            "r1:one", "k1:x", Reply(text="{}", status="ok"), store_reply=False, judge_key="j1:x",
            verdict={**broken, "raw": "", "created_at": "2026"},
        )  # fmt: skip
    assert store.value("select count(*) from attempts where judge_key is not null") == 0
    sound = {**broken, "option_id": "a", "raw": "", "created_at": "2026"}
    for _ in range(2):  # one that is there already is left as it is
        store.insert_verdicts([sound])
    assert store.value("select count(*) from verdicts") == 1
