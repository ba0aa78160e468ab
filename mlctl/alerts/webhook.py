"""A POST of JSON to an address of one's own.

Use it for a program that opens tickets, a chat's incoming hook that takes any JSON, or a pager without a client of its
own. The body is the message and a `text` of all of it, which Slack, Mattermost and Teams' hooks show. For what these
services can do beyond that, take `apprise`.

A header `Idempotency-Key` names the message: whoever gets it twice after an outage can tell. With `secret` the header
`X-Mlctl-Signature` is `sha256=` and the HMAC of the body. Redirects are not followed: a POST would arrive as a GET.
"""

from __future__ import annotations

import json
from typing import Any, Final, Literal

from pydantic import Field, field_validator

from mlctl.alerts import ChannelOptions, Message
from mlctl.alerts._address import checked, from_environment_alone, shown
from mlctl.errors import ExternalError

_LATER: Final = frozenset({408, 425, 429})
"""Refusals of the moment; every other 4xx is about what is sent or where to."""


class Options(ChannelOptions):
    """Options of a webhook."""

    kind: Literal["webhook"] = Field(default="webhook", description="webhook")
    url: str = Field(
        repr=False, description="http:// or https://; an address that is itself a secret by ${oc.env:NAME}"
    )
    headers: dict[str, str] = Field(
        default_factory=dict, repr=False, description="more headers; secrets by ${oc.env:NAME}"
    )
    secret: str | None = Field(
        default=None, repr=False, description="key of a signature of the body, by ${oc.env:NAME} only"
    )
    timeout_s: float = Field(default=10.0, gt=0, le=300, description="seconds to wait for the answer")

    _url = field_validator("url")(checked)
    _secret = field_validator("secret")(from_environment_alone)


EXAMPLE: Final[dict[str, object]] = {"kind": "webhook", "url": "${oc.env:ALERTS_URL}"}


def payload(options: Options, message: Message) -> str:
    """The address and the body."""
    return f"POST {shown(options.url)} {_body(message).decode()}"


def send(options: Options, message: Message) -> None:
    """Posts the message; any 2xx counts as taken.

    Raises:
        ExternalError: There was no answer in time, or another one.
    """
    import http.client
    import urllib.error
    import urllib.request

    class Refused(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None:
            return None

    body = _body(message)
    where = shown(options.url)
    try:
        request = urllib.request.Request(checked(options.url), body, _headers(options, message, body), method="POST")  # noqa: S310 - http and https alone
        with urllib.request.build_opener(Refused).open(request, timeout=options.timeout_s):
            pass
    except urllib.error.HTTPError as error:
        with error:
            later = error.code >= 500 or error.code in _LATER
            raise ExternalError.undelivered("webhook", where, f"it answered {error.code}", retry=later) from None
    except ValueError:
        raise ExternalError.undelivered("webhook", where, "it is no http:// or https:// address", retry=False) from None
    except (OSError, http.client.HTTPException) as error:
        why = str(getattr(error, "reason", "") or error) or type(error).__name__
        raise ExternalError.undelivered("webhook", where, why, retry=True) from None


def _headers(options: Options, message: Message, body: bytes) -> dict[str, str]:
    import hashlib
    import hmac

    made = {"Content-Type": "application/json", "User-Agent": "mlctl", "Idempotency-Key": message.id}
    if options.secret is not None:
        made["X-Mlctl-Signature"] = f"sha256={hmac.new(options.secret.encode(), body, hashlib.sha256).hexdigest()}"
    return {**made, **options.headers}


def _body(message: Message) -> bytes:
    told = {"format_version": "1.0", **message.record(), "text": message.text()}
    return json.dumps(told, sort_keys=True, ensure_ascii=False).encode()
