"""Where the audit stream goes, and how it is told to hide names."""

from __future__ import annotations

import argparse
import hashlib
import hmac
import io
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scim_operator.cli.failure import CommandError
from scim_operator.cli.logs import audit_stream
from scim_operator.cli.run import mask_of

KEY = "k" * 32


@pytest.fixture(autouse=True)
def stream() -> Iterator[logging.Logger]:
    logger, root = logging.getLogger("scim_operator.audit"), logging.getLogger()
    level = root.level
    yield logger
    logger.handlers, logger.propagate = [], True
    root.setLevel(level)


def test_lines_go_to_standard_output_alone(capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger().setLevel(logging.ERROR)
    write = audit_stream()
    write('{"audit": 1}')
    write("100 %s")
    assert capsys.readouterr() == ('{"audit": 1}\n100 %s\n', "")


def test_a_line_that_cannot_be_written_fails_nothing_and_is_told_without_its_content(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    audit_stream()("ada@example.com")
    assert [record.message for record in caplog.records] == ["a line of the audit stream couldn't be written"]
    assert "ada@example.com" not in caplog.text + capsys.readouterr().err


def arguments(audit: str, key: Path | str = "") -> argparse.Namespace:
    return argparse.Namespace(audit=audit, audit_key=str(key))


def test_names_are_hashed_with_the_key_as_openssl_does(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(f"{KEY}\n")
    mask = mask_of(arguments("hashed", path))
    assert mask is not None
    wanted = hmac.new(KEY.encode(), b"ada@example.com", hashlib.sha256).hexdigest()[:32]
    assert mask("ada@example.com") == f"hmac:{wanted}"
    assert mask("\ud800").startswith("hmac:"), "a name that is no text is a name all the same"
    assert mask_of(arguments("plain", path)) is None


@pytest.mark.parametrize(("content", "said"), [(None, "No such file"), ("short", "less than 32 bytes")])
def test_a_key_that_is_none(tmp_path: Path, content: str | None, said: str) -> None:
    path = tmp_path / "key"
    if content:
        path.write_text(content)
    with pytest.raises(CommandError, match=f"--audit-key: .*{said}"):
        mask_of(arguments("hashed", path))
