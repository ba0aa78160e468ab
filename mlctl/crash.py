"""The file that a bug leaves behind: versions, the command and the traceback, to paste into a report."""

from __future__ import annotations

import platform
import sys
import tempfile
import traceback

from mlctl import __version__
from mlctl.files import without_secrets


def crash_file(bug: Exception) -> str:
    """Writes the crash file into the folder for temporary files and gives its path."""
    head = f"mlctl {__version__}, Python {platform.python_version()}, {platform.platform()}"
    text = [head, f"command: {without_secrets(sys.argv)}", "", *traceback.format_exception(bug)]
    with tempfile.NamedTemporaryFile(
        "w", prefix="mlctl-crash-", suffix=".txt", delete=False, encoding="utf-8"
    ) as stream:
        stream.write("\n".join(text))
    return stream.name
