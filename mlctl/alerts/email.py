"""A mail by SMTP, in plain text, to people or to a list.

Use it where people read mail in time, or for `at_least: warn`, which should wake nobody. The `Message-ID` is that of
the message, so that mail programs show one where an outage made two; the recovery is in the alarm's thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field, field_validator

from mlctl.alerts import ChannelOptions, Message
from mlctl.alerts._address import from_environment_alone
from mlctl.errors import ExternalError

if TYPE_CHECKING:
    from email.message import EmailMessage

_DOMAIN: Final = "alerts.mlctl"


class Options(ChannelOptions):
    """Options of mail."""

    kind: Literal["email"] = Field(default="email", description="email")
    host: str = Field(description="the mail server")
    port: int = Field(default=587, ge=1, le=65535, description="its port; 587 for starttls, 465 for tls, 25 for none")
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="how the connection is kept from others: starttls, tls, none"
    )
    user: str | None = Field(default=None, description="who sends, where the server asks")
    password: str | None = Field(default=None, repr=False, description="by ${oc.env:NAME} only")
    sender: str = Field(description="the address in From")
    to: tuple[str, ...] = Field(min_length=1, description="the addresses of those who are told")
    timeout_s: float = Field(default=15.0, gt=0, le=300, description="seconds to wait for each answer of the server")

    _password = field_validator("password")(from_environment_alone)


EXAMPLE: Final[dict[str, object]] = {
    "kind": "email",
    "host": "mail.example.com",
    "sender": "mlctl@example.com",
    "to": ["ml-team@example.com"],
    "user": "mlctl",
    "password": "${oc.env:MAIL_PASSWORD}",
    "at_least": "warn",
}


def payload(options: Options, message: Message) -> str:
    """The mail, and which server would take it."""
    return f"smtp://{options.host}:{options.port}\n{_mail(options, message)}"


def send(options: Options, message: Message) -> None:
    """Hands the mail to the server.

    Raises:
        ExternalError: It did not take the mail, or not for everybody.
    """
    import smtplib
    import ssl

    where = f"{options.host}:{options.port}"
    secure = ssl.create_default_context()
    try:
        if options.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                options.host, options.port, timeout=options.timeout_s, context=secure
            )
        else:
            server = smtplib.SMTP(options.host, options.port, timeout=options.timeout_s)
        with server:
            if options.security == "starttls":
                server.starttls(context=secure)
            if options.user is not None:
                server.login(options.user, options.password or "")
            refused = server.send_message(_mail(options, message), options.sender, list(options.to))
    except smtplib.SMTPResponseException as error:
        said = error.smtp_error.decode(errors="replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
        later = error.smtp_code < 500
        raise ExternalError.undelivered("email", where, f"it answered {error.smtp_code} {said}", retry=later) from None
    except smtplib.SMTPRecipientsRefused as error:
        raise ExternalError.undelivered("email", where, _refused(error.recipients), retry=False) from None
    except (OSError, smtplib.SMTPException) as error:
        raise ExternalError.undelivered("email", where, str(error) or type(error).__name__, retry=True) from None
    if refused:
        raise ExternalError.undelivered("email", where, _refused(refused), retry=False)


def _refused(recipients: Mapping[str, object]) -> str:
    return f"it takes no mail for {', '.join(sorted(recipients))}"


def _mail(options: Options, message: Message) -> EmailMessage:
    from email.message import EmailMessage
    from email.utils import format_datetime

    mail = EmailMessage()
    mail["Subject"] = message.subject()
    mail["From"] = options.sender
    mail["To"] = ", ".join(options.to)
    mail["Date"] = format_datetime(message.at)
    mail["Message-ID"] = f"<{message.id}@{_DOMAIN}>"
    mail["References"] = f"<{message.alarm}@{_DOMAIN}>"
    # the alarm's own filter for people who sort their mail
    mail["X-Mlctl-Alarm"] = message.alarm
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text())
    return mail
