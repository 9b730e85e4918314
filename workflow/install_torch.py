"""Install torch into the running environment: `install_torch.py VERSION auto|cpu|cuda` (used by the Makefile)."""

import platform
import shutil
import subprocess
import sys

_UNAVAILABLE = """\
Error: no CPU build of torch {version} could be installed
  expected: pip's configured sources, or uv's (--torch-backend cpu), to have one for this Python ({python})
  remedy:   check the network and pip's configuration; or try another Python 3.11-3.13 (make PYTHON=...);
            or accept the CUDA build, several GB: make TORCH=cuda"""


def main(version: str, wanted: str) -> None:
    cuda = wanted == "cuda" or (wanted == "auto" and shutil.which("nvidia-smi") is not None)
    if cuda or platform.system() != "Linux":  # elsewhere the registry's default build is the CPU's
        attempts = [_pip(f"torch=={version}")]
    else:
        attempts = [
            _pip(f"torch=={version}+cpu"),
            [sys.executable, "-m", "uv", "pip", "install", "--torch-backend", "cpu", f"torch=={version}"],
        ]
    for command in attempts:
        attempt = subprocess.run(command, check=False, stderr=subprocess.PIPE, text=True)
        if attempt.returncode == 0:
            return
    sys.exit(attempt.stderr + _UNAVAILABLE.format(version=version, python=platform.python_version()))


def _pip(requirement: str) -> list[str]:
    return [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", requirement]


if __name__ == "__main__":
    main(*sys.argv[1:])
