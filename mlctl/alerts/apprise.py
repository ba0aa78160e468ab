"""A message to Slack, Teams, PagerDuty, Opsgenie, Telegram and more than a hundred other services, by Apprise.

Use it for every service that Apprise knows (https://github.com/caronc/apprise/wiki); its address holds the service's
token, and so it comes from the environment. Not for an address that takes plain JSON or for mail: `webhook` and `email`
tell more exactly what went wrong.
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field, field_validator

from mlctl.alerts import ChannelOptions, Message
from mlctl.alerts._address import from_environment_alone
from mlctl.errors import ExternalError


class Options(ChannelOptions):
    """Options of Apprise."""

    kind: Literal["apprise"] = Field(default="apprise", description="apprise")
    url: str = Field(repr=False, description="the service's address in Apprise's form, by ${oc.env:NAME} only")
    timeout_s: float = Field(default=20.0, gt=0, le=300, description="seconds to wait for the service")

    _url = field_validator("url")(from_environment_alone)


EXAMPLE: Final[dict[str, object]] = {"kind": "apprise", "url": "${oc.env:ONCALL_URL}"}


def payload(options: Options, message: Message) -> str:
    """Title and text; the address is a secret."""
    return f"{options.url}: {message.subject()}\n{message.text()}"


def send(options: Options, message: Message) -> None:
    """Hands the message to the service.

    Raises:
        ExternalError: The address is none that Apprise knows, or the service did not take it.
    """
    import logging

    from apprise import Apprise, NotifyType

    # what Apprise writes down holds addresses with tokens
    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    service = Apprise()
    if not service.add(options.url):
        raise ExternalError.undelivered("apprise", "url", "Apprise knows no service of such an address", retry=False)
    kind = {"recovered": NotifyType.SUCCESS, "test": NotifyType.INFO}.get(message.state)
    kind = kind or (NotifyType.FAILURE if message.severity == "alarm" else NotifyType.WARNING)
    body = "\n".join(message.text().splitlines()[2:])
    outcome = service.notify(body=body, title=message.subject(), notify_type=kind, timeout=options.timeout_s)
    if not outcome:
        raise ExternalError.undelivered(
            "apprise", _service(options.url), f"it ended as {outcome.status.name}", retry=True
        )


def _service(url: str) -> str:
    """What stands before :// and names the service, never what stands behind it."""
    return f"{url.partition('://')[0]}://..."
