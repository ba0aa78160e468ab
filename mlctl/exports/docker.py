"""An image with the release baked in: nothing is fetched at start, no root, a root file system that may be read-only.

Use it for any container platform; `k8s` and `kserve` name the same image. Not where a machine runs Python as it is:
`systemd` does without an image.
"""

from __future__ import annotations

import json
import shlex
import sys

from mlctl.exports import DSN, HOME, LIVE, PORT, USER, Files, Parcel
from mlctl.exports._program import command, fetch, program, requirements

_ALIVE = f"import urllib.request as u; u.urlopen('http://127.0.0.1:{PORT}{LIVE}', timeout=2)"
_DOCKERFILE = """\
# syntax=docker/dockerfile:1
FROM python:{python}-slim AS libraries
COPY requirements.txt /requirements.txt
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --no-compile -r /requirements.txt

FROM python:{python}-slim
LABEL org.opencontainers.image.title="{name}" org.opencontainers.image.version="{release}"
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1
COPY --from=libraries /venv /venv
WORKDIR {home}
COPY app {home}
# compiled once here, since a read-only root takes no later; the log of answers and workers' counters go to volumes
RUN python -m compileall -q {home}/mlctl /venv/lib && mkdir -p {home}/.mlctl && chown {user}:{user} {home}/.mlctl
USER {user}:{user}
EXPOSE {port}
VOLUME ["{home}/.mlctl", "/tmp"]
HEALTHCHECK --interval=10s --timeout=2s --start-period=10s CMD {alive}
STOPSIGNAL SIGTERM
ENTRYPOINT {entrypoint}
"""

_README = """\
# {name}, release {release}

```sh
docker build -t {image} .
docker run --rm --read-only --tmpfs /tmp -v {name}-log:{home}/.mlctl -p {port}:{port} --cap-drop ALL {image}
curl -s localhost:{port}/v2/health/ready
```

The release lies in the image, and every hash of it is checked before the port is opened. Answers are written to
`{home}/.mlctl/{name}/predictions`. SIGTERM drains for at most {drain_s:g} s.
"""
_WITH_DATABASE = """
The database is the one that the environment names: `-e {dsn}` hands it on. Without it the release answers alone.
"""
_FETCHING = """
Features by key come from there too, into the same volume, before the start and as often as they change:

```sh
docker run --rm --read-only --tmpfs /tmp -v {name}-log:{home}/.mlctl -e {dsn} --entrypoint python {image} {fetch}
```
"""


def files(parcel: Parcel) -> Files:
    """Dockerfile, pinned libraries, and the folder `app` that goes into the image."""
    words = {
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "name": parcel.name,
        "release": parcel.release.id,
        "image": parcel.image,
        "home": HOME,
        "user": USER,
        "port": PORT,
        "alive": json.dumps(["python", "-c", _ALIVE]),
        "drain_s": parcel.options.drain_s,
        "dsn": DSN,
        "fetch": shlex.join(fetch(parcel)),
        "entrypoint": json.dumps(["python", *command(parcel)]),
    }
    made: Files = {f"app/{path}": data for path, data in program(parcel).items()}
    made["Dockerfile"] = _DOCKERFILE.format(**words)
    made[".dockerignore"] = "README.md\n**/__pycache__\n"
    made["requirements.txt"] = requirements(parcel)
    readme = _README + (_WITH_DATABASE if parcel.database else "") + (_FETCHING if parcel.fetches else "")
    made["README.md"] = readme.format(**words)
    return made
