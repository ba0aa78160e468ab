"""Addresses that channels deliver to: what they may be, and how they are shown."""

from __future__ import annotations

from urllib.parse import urlsplit

from mlctl.environment import REFERENCE
from mlctl.spec.places import holds_password


def checked(url: str) -> str:
    """An http address without a secret written into it, or a reference to the environment.

    Raises:
        ValueError: It is something else.

    >>> checked("https://hooks.example.com/ml")
    'https://hooks.example.com/ml'
    """
    if holds_password(url):
        raise ValueError("holds a password; put the whole address into the environment, `${oc.env:NAME}`")
    if not REFERENCE.search(url) and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname):
        raise ValueError("is an address that begins with http:// or https://, or `${oc.env:NAME}`")
    return url


def from_environment_alone(text: str | None) -> str | None:
    """A secret: a reference to the environment and nothing else.

    Raises:
        ValueError: It is written into the YAML.
    """
    if text is not None and not REFERENCE.fullmatch(text):
        raise ValueError("is a secret; put it into the environment and write `${oc.env:NAME}`")
    return text


def shown(url: str) -> str:
    """An address without what may be secret in it: scheme, host and port; a reference stays as it is.

    >>> shown("https://hooks.example.com:8443/T0/B0/xyz?token=1"), shown("${oc.env:HOOK}")
    ('https://hooks.example.com:8443/...', '${oc.env:HOOK}')
    """
    if REFERENCE.search(url):
        return url
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}" + ("/..." if parts.path.strip("/") or parts.query else "")
