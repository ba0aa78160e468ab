"""Every channel: a dry run sends nothing, an outage is an external error that may be tried again, a message arrives whole."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from mlctl import kinds
from mlctl.alerts import Message, example, message_of, with_secrets
from mlctl.errors import ConfigError, ExternalError
from tests import receivers

HOSTILE = replace(
    example("open"),
    project="shop",
    title="3 findings\r\nBcc: everybody@example.com",
    lines=("orders.amount\x1b[2J has 7 €, allowed is at most 5", ".", "..dots", "ünïcödé 🛒 " + "x" * 2000),
    runbook="Call the owner.\n.\nThen wait.",
)
Receiver = tuple[dict[str, Any], Callable[[], list[str]]]
"""Options that lead there, and what has arrived by now, as text."""


@contextmanager
def file(tmp: Path, up: bool) -> Iterator[Receiver]:
    path = tmp / "alerts.ndjson"
    if not up:
        path.mkdir()
    yield {"path": str(path)}, lambda: path.read_text().splitlines() if path.is_file() else []


@contextmanager
def log(tmp: Path, up: bool) -> Iterator[Receiver]:
    before, (reader, writer) = sys.stderr, os.pipe()
    if not up:
        os.close(reader)
    sys.stderr = os.fdopen(writer, "w", buffering=1)
    try:
        os.set_blocking(reader, False) if up else None
        yield {}, lambda: _pipe(reader)
    finally:
        with suppress(OSError):
            sys.stderr.close()
        sys.stderr = before


def _pipe(reader: int) -> list[str]:
    try:
        return os.read(reader, 1 << 16).decode().splitlines()
    except BlockingIOError:
        return []


@contextmanager
def webhook(tmp: Path, up: bool) -> Iterator[Receiver]:
    with receivers.http() as server:
        there = server.url
        if up:
            yield {"url": there}, lambda: [body.decode() for _, _, body in server.posts]
    if not up:
        yield {"url": there}, lambda: []


@contextmanager
def email(tmp: Path, up: bool) -> Iterator[Receiver]:
    with receivers.smtp() as server:
        there = {"host": "127.0.0.1", "port": server.port, "security": "none", "user": None, "password": None}
        if up:
            yield there, lambda: [f"{mail['Subject']} {mail.get_payload(decode=True)!r}" for mail in server.mails]
    if not up:
        yield there, lambda: []


@contextmanager
def apprise(tmp: Path, up: bool) -> Iterator[Receiver]:
    with receivers.http() as server:
        os.environ["ONCALL_URL"] = f"json://127.0.0.1:{server.port}/"
        if up:
            yield {}, lambda: [body.decode() for _, _, body in server.posts]
    if not up:
        yield {}, lambda: []


PLACES = {"file": file, "log": log, "webhook": webhook, "email": email, "apprise": apprise}


def channel(kind: str, **changes: Any) -> tuple[Any, Any, Any]:
    """The module, its options as the YAML says them, and with the secrets filled in."""
    module = kinds.load("alerts", kind)
    options = kinds.options("alerts", {**module.EXAMPLE, **changes})
    return module, options, with_secrets("oncall", options)


def test_every_kind_has_a_receiver_here() -> None:
    assert set(PLACES) == set(kinds.names("alerts"))


@pytest.mark.parametrize("kind", kinds.names("alerts"))
def test_a_dry_run_shows_the_message_and_sends_nothing(kind: str, tmp_path: Path) -> None:
    with PLACES[kind](tmp_path, True) as (there, arrived):
        module, options, _ = channel(kind, **there)
        shown = module.payload(options, example())

        assert arrived() == []
    assert "this is a test, nothing is wrong" in shown
    assert "json://" not in shown


@pytest.mark.parametrize("kind", kinds.names("alerts"))
def test_a_message_arrives_once_and_whole(kind: str, tmp_path: Path) -> None:
    with PLACES[kind](tmp_path, True) as (there, arrived):
        module, _, filled = channel(kind, **there)
        module.send(filled, HOSTILE)
        found = arrived()

    assert len(found) == 1
    assert "shop" in found[0]
    assert "3 findings" in found[0]


@pytest.mark.parametrize("kind", kinds.names("alerts"))
def test_an_outage_is_an_external_error_that_may_be_tried_again(kind: str, tmp_path: Path) -> None:
    with PLACES[kind](tmp_path, False) as (there, _):
        module, _, filled = channel(kind, **there)
        with pytest.raises(ExternalError) as caught:
            module.send(filled, example())

    assert caught.value.retry
    assert "mlctl alerts flush" in caught.value.next_step


def test_a_webhook_is_signed_and_names_its_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_KEY", "s3cret")
    with receivers.http() as server:
        _, _, filled = channel("webhook", url=server.url, secret="${oc.env:HOOK_KEY}", headers={"X-Team": "ml"})
        kinds.load("alerts", "webhook").send(filled, HOSTILE)
        ((_, headers, body),) = server.posts

    assert headers["Idempotency-Key"] == HOSTILE.id
    assert headers["X-Team"] == "ml"
    assert headers["X-Mlctl-Signature"] == f"sha256={hmac.new(b's3cret', body, hashlib.sha256).hexdigest()}"
    told = json.loads(body)
    assert told.pop("format_version") == "1.0"
    assert "Call the owner." in told.pop("text")
    assert message_of(told) == HOSTILE


@pytest.mark.parametrize(
    ("code", "later"), [(500, True), (503, True), (429, True), (400, False), (404, False), (302, False)]
)
def test_a_webhooks_answer_says_whether_to_come_again(code: int, later: bool) -> None:
    with receivers.http() as server:
        server.answers = [code]
        module, _, filled = channel("webhook", url=server.url + "/T0KEN?key=s3cret")
        with pytest.raises(ExternalError, match=str(code)) as caught:
            module.send(filled, example())

    assert caught.value.retry is later
    assert "T0KEN" not in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_mail_has_no_header_from_data_and_keeps_every_line() -> None:
    with receivers.smtp() as server:
        module, _, filled = channel(
            "email", host="127.0.0.1", port=server.port, security="none", user=None, password=None
        )
        module.send(filled, HOSTILE)
        (mail,) = server.mails

    assert mail["Bcc"] is None
    assert mail["Message-ID"] == f"<{HOSTILE.id}@alerts.mlctl>"
    text = mail.get_payload(decode=True).decode()
    assert "Call the owner.\n.\nThen wait." in text.replace("\r\n", "\n")
    assert "ünïcödé 🛒 " + "x" * 2000 in text


def test_a_mail_server_that_refuses_somebody_is_told() -> None:
    with receivers.smtp() as server:
        server.refuses = {"gone@example.com"}
        there = {"host": "127.0.0.1", "port": server.port, "security": "none", "user": None, "password": None}
        module, _, filled = channel("email", **there, to=["here@example.com", "gone@example.com"])
        with pytest.raises(ExternalError, match=r"gone@example\.com") as caught:
            module.send(filled, example())
        server.answers = ["451 later"]
        with pytest.raises(ExternalError, match="451 later") as busy:
            channel("email", **there)[0].send(filled, example())

    assert (caught.value.retry, busy.value.retry) == (False, True)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_mail_goes_over_an_encrypted_connection_to_a_server_that_is_trusted(
    security: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", "s3cret")
    context, certificate = receivers.certified(tmp_path)
    with receivers.smtp(tls=context, at_once=security == "tls") as server:
        module, _, filled = channel("email", host="127.0.0.1", port=server.port, security=security)
        with pytest.raises(ExternalError, match="CERTIFICATE_VERIFY_FAILED"):
            module.send(filled, HOSTILE)
        assert (server.mails, server.secret) == ([], [])
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        module.send(filled, HOSTILE)

    assert [mail["X-Mlctl-Alarm"] for mail in server.mails] == [HOSTILE.alarm]
    ((encrypted, line),) = server.secret
    assert encrypted
    assert base64.b64decode(line.split()[-1]).split(b"\0")[1:] == [b"mlctl", b"s3cret"]


def test_a_mail_server_that_offers_no_encryption_gets_neither_password_nor_mail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", "s3cret")
    with receivers.smtp() as server:
        module, _, filled = channel("email", host="127.0.0.1", port=server.port)
        with pytest.raises(ExternalError, match="STARTTLS"):
            module.send(filled, HOSTILE)

    assert (server.mails, server.secret) == ([], [])


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("apprise", {"url": "slack://TokenA/TokenB/TokenC"}),
        ("email", {"password": "s3cret"}),
        ("webhook", {"url": "ftp://example.com"}),
        ("webhook", {"url": "https://ann:s3cret@example.com/hook"}),
        ("webhook", {"url": "file:///etc/passwd"}),
        ("webhook", {"secret": "s3cret"}),
    ],
)
def test_secrets_and_strange_addresses_do_not_stand_in_the_yaml(kind: str, changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        channel(kind, **changes)


def test_a_secret_that_is_not_there_is_told_by_its_key() -> None:
    os.environ.pop("ONCALL_URL", None)
    with pytest.raises(ConfigError, match="ONCALL_URL") as caught:
        channel("apprise")
    assert caught.value.where == "alerts.oncall.url"


def test_an_address_from_the_environment_is_checked_where_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALERTS_URL", "file:///etc/passwd")
    module, _, filled = channel("webhook")
    with pytest.raises(ExternalError) as caught:
        module.send(filled, example())
    assert not caught.value.retry


def test_a_service_that_apprise_does_not_know_is_told_without_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONCALL_URL", "nosuch://T0KEN")
    module, _, filled = channel("apprise")
    with pytest.raises(ExternalError, match="knows no service") as caught:
        module.send(filled, example())
    assert not caught.value.retry
    assert "T0KEN" not in str(caught.value)


def test_a_message_comes_back_from_its_record() -> None:
    message: Message = example("recovered")

    assert message_of(json.loads(json.dumps(message.record()))) == message
