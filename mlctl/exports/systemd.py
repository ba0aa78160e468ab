"""A systemd service: one machine, Python as it is, no container.

Use it for the one server that a small team has. The unit runs under a user that exists only while it runs, and sees
nothing of the machine but its own folder.
"""

from __future__ import annotations

import shlex

from mlctl.exports import DSN, Files, Parcel
from mlctl.exports._program import command, fetch, program, requirements

_UNIT = """\
[Unit]
Description={name}: release {release} over HTTP
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
WorkingDirectory={home}/app
{before}ExecStart={home}/venv/bin/python {words}
DynamicUser=yes
StateDirectory=mlctl-{name}
BindPaths=/var/lib/mlctl-{name}:{home}/app/.mlctl
Restart=always
RestartSec=1
KillSignal=SIGTERM
TimeoutStopSec={grace_s}
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
LockPersonality=yes
CapabilityBoundingSet=
SystemCallArchitectures=native

[Install]
WantedBy=multi-user.target
"""

_README = """\
# {name}, release {release}

```sh
sudo mkdir -p {home} && sudo cp -r app requirements.txt {home}/ && sudo mkdir -p {home}/app/.mlctl
sudo python3 -m venv {home}/venv && sudo {home}/venv/bin/pip install -r {home}/requirements.txt
sudo cp {unit} /etc/systemd/system/ && sudo systemctl enable --now {unit}
curl -s localhost:8080/v2/health/ready
```

A new release: copy its `app/release` over the old one, `manifest.json` last; the server takes it between two requests.
It listens on 127.0.0.1, so put the proxy that speaks TLS before it.
"""
_WITH_DATABASE = """
`/etc/mlctl-{name}.env` (root, 0600) holds `{dsn}=postgresql://...`, the database. Without it the release answers alone.
"""


def files(parcel: Parcel) -> Files:
    """The unit, pinned libraries, and the folder `app` to be copied to /opt."""
    home = f"/opt/{parcel.name}"
    words = {
        "name": parcel.name,
        "release": parcel.release.id,
        "home": home,
        "before": _before(parcel, home),
        "words": shlex.join(command(parcel, f"{home}/app", "127.0.0.1")),
        "grace_s": parcel.grace_s,
        "unit": f"{parcel.name}.service",
    }
    made: Files = {f"app/{path}": data for path, data in program(parcel).items()}
    made[f"{parcel.name}.service"] = _UNIT.format(**words)
    made["requirements.txt"] = requirements(parcel)
    readme = _README + (_WITH_DATABASE if parcel.database else "")
    made["README.md"] = readme.format(**words, dsn=DSN)
    return made


def _before(parcel: Parcel, home: str) -> str:
    """The lines about the database, before the server's own."""
    lines = []
    if parcel.database is not None:
        lines.append(f"EnvironmentFile=-/etc/mlctl-{parcel.name}.env\n")
    if parcel.fetches:
        lines.append(f"ExecStartPre={home}/venv/bin/python {shlex.join(fetch(parcel))}\n")
    return "".join(lines)
