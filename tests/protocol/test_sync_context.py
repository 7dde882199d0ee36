"""The Sync-Context header: a dictionary of RFC 8941 §3.2."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davstore.errors import Malformed
from davstore.protocol.http.sync_context import SyncContext, parse


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, SyncContext("automatic", None)),
        ("", SyncContext("automatic", None)),
        ("mode=automatic, bearer=cellular-roaming", SyncContext("automatic", "cellular-roaming")),
        ("mode=manual", SyncContext("manual", None)),
        ("bearer=wifi;q=1,mode=manual", SyncContext("manual", "wifi")),
        ('note="a, b \\" c", x, y=?0;z, n=-1.5, mode=manual', SyncContext("manual", None)),
        ("mode=manual, mode=automatic", SyncContext("automatic", None)),
    ],
)
def test_rfc8941_3_2_dictionary(value: str | None, expected: SyncContext) -> None:
    assert parse(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        "mode",
        "mode=",
        "mode=later",
        'mode="manual"',
        "mode=Manual",
        "MODE=manual",
        "mode=manual,",
        ",mode=manual",
        "mode=manual bearer=wifi",
        "mode = manual",
        "bearer=(a b)",
        'bearer="wifi"',
        "bearer=1",
        'x="',
        "é=1",
        "x=" + "a" * 1024,
    ],
)
def test_rfc8941_4_2_garbage_is_malformed(value: str) -> None:
    with pytest.raises(Malformed):
        parse(value)


@given(st.text() | st.text(alphabet='mode=anul,; "?01-.\\'))
def test_any_text_is_a_context_or_refused(text: str) -> None:
    with contextlib.suppress(Malformed):
        assert parse(text).mode in ("automatic", "manual")
