"""The start stays fast: help imports nothing heavy."""

import subprocess
import sys

HEAVY = (
    "polars",
    "numpy",
    "sklearn",
    "xgboost",
    "onnx",
    "onnxruntime",
    "pandera",
    "hydra",
    "omegaconf",
    "pydantic",
    "psycopg",
    "dvc",
    "yaml",
    "altair",
    "vl_convert",
    "jinja2",
)


def test_help_imports_no_heavy_library() -> None:
    script = (
        "import sys\n"
        "sys.argv = ['mlctl', '--help']\n"
        "from mlctl import cli\n"
        "try:\n    cli.app()\nexcept SystemExit:\n    pass\n"
        f"print('HEAVY', [name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert "Usage:" in done.stdout
    assert done.stdout.strip().splitlines()[-1] == "HEAVY []"


def test_the_yaml_of_a_project_is_validated_without_the_data_libraries() -> None:
    script = (
        "import sys\n"
        "from mlctl import config\nfrom mlctl.workspace import Places\n"
        "config.compose(Places('churn'))\n"
        "print([name for name in ('polars', 'sklearn', 'xgboost', 'pandera', 'onnxruntime') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
