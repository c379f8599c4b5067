"""What `make docs` builds takes nothing from elsewhere and misses nothing; its pictures are there, and small."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from docs.make_gallery import entries
from tests.docs.pages import ROOT

from qsense import __all__ as names
from qsense import __version__
from qsense.__main__ import commands
from qsense.experiment.schema import config_folder

ELSEWHERE = re.compile(r"""<(?:script|link|img|iframe)[^>]*(?:src|href)=["'](?:https?:)?//""")


SITE = ROOT / "build" / "docs"


@pytest.fixture
def site() -> Path:
    """All pages."""
    if not SITE.is_dir():
        pytest.skip("make docs builds what is looked at")
    return SITE


@pytest.mark.site
def test_the_site_takes_nothing_from_elsewhere(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        assert not ELSEWHERE.search(page.read_text(encoding="utf-8")), page


@pytest.mark.site
def test_the_reference_has_every_file_command_and_name(site: Path) -> None:
    configuration = (site / "reference" / "configuration.html").read_text(encoding="utf-8")
    for file in config_folder().glob("*/**/*.yaml"):
        group = file.parent.relative_to(config_folder()).as_posix()
        if not group.startswith("hydra/") or group == "hydra/launcher":  # the others nobody chooses
            assert f"{group}={file.stem}" in configuration, file
    helps = (site / "reference" / "commands.html").read_text(encoding="utf-8")
    assert not [name for name in commands() if f"qsense {name}" not in helps]
    library = (site / "reference" / "library.html").read_text(encoding="utf-8")
    shown = {name: "train_here" if name == "train" else name for name in names if not name.startswith("__")}
    assert not [name for name, text in shown.items() if f">{text}<" not in library]


def test_every_picture_of_the_gallery_is_there_and_small() -> None:
    page = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    assert len(entries()) == page.count("![") == page.count("```bash") > 5
    shown = {ROOT / "docs" / entry.picture for entry in entries()}
    assert shown == set((ROOT / "docs" / "pictures").iterdir())
    for picture in shown:
        assert picture.stat().st_size < 300_000, picture


def test_the_version_is_the_same_everywhere() -> None:
    assert f"\n## {__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert str(citation["version"]) == __version__
