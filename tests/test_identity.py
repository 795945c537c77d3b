"""Keys are stable across versions, platforms and the order of fields."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditkit.identity import canonical_json, digest, file_digest, request_body, request_key

BODY = {
    "provider": "openai",
    "model": "gpt-x",
    "revision": None,
    "messages": [{"role": "user", "content": "Grüße, 世界 – “quoted”"}],
    "params": {"temperature": 0.0, "max_tokens": 512},
    "sample": 0,
}


def test_golden_values_do_not_change():
    """These keys are in people's databases: a change of any of them makes every stored reply unfindable."""
    assert request_key(request_body(**BODY)) == "k1:3f1947bab7ee4722c1530f7f548d7bd7"
    assert digest("s1", "a text") == "s1:cf9ff9d0626585fdb749f62a7c0fb6bc"
    assert canonical_json({"b": [1, 2.5, None], "a": "é"}) == '{"a":"é","b":[1,2.5,null]}'


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("provider", "azure"),
        ("model", "gpt-y"),
        ("revision", "abc"),
        ("messages", [{"role": "user", "content": "other"}]),
        ("params", {"temperature": 0.5, "max_tokens": 512}),
        ("sample", 1),
    ],
)
def test_everything_that_changes_the_answer_changes_the_key(field, value):
    """Provider, model, revision, messages, parameters and sample are all part of the identity."""
    assert request_key(request_body(**{**BODY, field: value})) != request_key(request_body(**BODY))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=5), json_values, max_size=5))
def test_the_order_of_fields_does_not_matter(value):
    """The same mapping written in another order has the same key."""
    assert digest("t", dict(reversed(value.items()))) == digest("t", value)


def test_nan_is_refused():
    """NaN has no canonical form."""
    with pytest.raises(ValueError, match="JSON"):
        canonical_json(float("nan"))


def test_a_files_digest_is_its_sha256(tmp_path):
    """The digest of a file is the usual one, so that it can be compared with a published hash."""
    path = tmp_path / "f"
    path.write_bytes(b"abc")
    assert file_digest(path) == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
