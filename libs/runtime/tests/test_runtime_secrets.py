"""Secrets of a playbook: read at the last moment, and named by their place, never shown."""

from pathlib import Path

import pytest

from tocsin_playbook.model.references import SecretRef
from tocsin_runtime.secrets import KEPT, SecretMissingError, reveal


def test_a_secret_is_read_from_its_variable_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("canary", "changed"):
        monkeypatch.setenv("TOKEN", value)
        assert reveal(SecretRef(env="TOKEN")) == value


def test_a_secret_is_read_from_its_file_without_the_last_line_break(tmp_path: Path) -> None:
    place = tmp_path / "token"
    place.write_text(" pass word \n", encoding="utf-8")
    assert reveal(SecretRef(file=str(place))) == "pass word"


def test_a_plain_text_is_itself() -> None:
    assert reveal("plain") == "plain"


@pytest.mark.parametrize("value", [None, ""])
def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv("TOKEN", raising=False)
    if value is not None:
        monkeypatch.setenv("TOKEN", value)
    with pytest.raises(SecretMissingError, match="the environment variable TOKEN is not set"):
        reveal(SecretRef(env="TOKEN"))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for place in (tmp_path / "nothing", tmp_path):
        with pytest.raises(SecretMissingError, match=f"the secret file {place} cannot be read: "):
            reveal(SecretRef(file=str(place)))


def test_an_empty_file_holds_no_secret(tmp_path: Path) -> None:
    place = tmp_path / "token"
    place.write_text("\n")
    with pytest.raises(SecretMissingError, match="is empty"):
        reveal(SecretRef(file=str(place)))


def test_a_file_that_is_no_text_is_not_shown_in_any_way(tmp_path: Path) -> None:
    place = tmp_path / "token"
    place.write_bytes(b"canary\xff")
    with pytest.raises(SecretMissingError) as missing:
        reveal(SecretRef(file=str(place)))
    assert "canary" not in f"{missing.value!r} {missing.value.__cause__!r}"
    assert missing.value.__suppress_context__  # the decoder's error holds the bytes


def test_in_a_rehearsal_no_real_secret_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "canary")
    token = KEPT.set(lambda reference: f"instead of {reference.env}")
    try:
        assert reveal(SecretRef(env="TOKEN")) == "instead of TOKEN"
        assert reveal("plain") == "plain"
    finally:
        KEPT.reset(token)
    assert reveal(SecretRef(env="TOKEN")) == "canary"
