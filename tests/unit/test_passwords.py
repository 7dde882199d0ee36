"""Passwords that davstore makes up."""

from __future__ import annotations

from davstore.store.enrolling import new_password


def test_a_password_can_be_a_word_of_a_command() -> None:
    passwords = {new_password() for _ in range(1000)}
    assert len(passwords) == 1000
    assert all(password.isascii() and password.isalnum() for password in passwords)
