"""Contact sheets from the command line, of headless files and of a data set's frames."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.refusal import assert_names

from qsense.__main__ import main as door
from qsense.commands import scenes
from qsense.commands.scenes import SAMPLES, Scene, from_photo, main, raw_signal
from qsense.data.frames.simulation.inverse_isp import mean_camera


def headless(folder: Path, largest: int = 4000) -> Path:
    mosaic = np.random.default_rng(0).integers(10, largest, (40, 60), dtype=np.uint16)
    mosaic[0, 0] = largest
    file = folder / "mosaic.raw"
    mosaic.astype("<u2").tofile(file)
    return file


SIZE = ["--width", "60", "--height", "40"]


def test_one_sheet_per_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, out = headless(tmp_path), tmp_path / "sheets"
    main([str(file), *SIZE, "--bits", "1", "4", "--gammas", "0.5", "--out", str(out)])
    assert capsys.readouterr().out == f"{out / 'mosaic.png'}\n"
    with Image.open(out / "mosaic.png") as sheet:
        assert sheet.width > sheet.height


def test_frames_of_a_data_set(tmp_path: Path) -> None:
    main(["--data", "synthetic_raw", "--frame", "0", "2", "--bits", "2", "--gammas", "0.5", "--out", str(tmp_path)])
    assert {file.name for file in tmp_path.iterdir()} == {"synthetic_raw-0.png", "synthetic_raw-2.png"}


@pytest.mark.parametrize("stops", ["0", "4"])
def test_a_photograph_becomes_a_raw_frame_in_less_light(tmp_path: Path, stops: str) -> None:
    photo = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)).save(photo)
    main(["--photo", str(photo), "--stops", stops, "--bits", "2", "--gammas", "0.5", "--out", str(tmp_path / "sheets")])
    with Image.open(tmp_path / "sheets" / "photo.png") as sheet:
        assert sheet.width > sheet.height
    bright, dim = (from_photo(str(photo), darker, iso=100).codes.mean() for darker in (0, 3))
    assert 6 < bright / dim < 10


@pytest.mark.parametrize("name", SAMPLES)
def test_photographs_are_built_in(name: str) -> None:
    pytest.importorskip("sklearn")
    scene = from_photo(name, stops=4, iso=100)
    assert scene.codes.shape[0] == 4
    assert scene.signal == raw_signal(0, 4095, "RGGB")
    assert (scene.codes == from_photo(name, stops=4, iso=100).codes).all(), "the same each time"


@pytest.mark.parametrize(("largest", "white"), [(4000, 4095), (4095, 4095), (4096, 8191)])
def test_levels_of_a_headless_file_are_what_its_counts_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, largest: int, white: int
) -> None:
    found = []
    monkeypatch.setattr(scenes, "draw", lambda scene, *_: found.append(scene))
    file = headless(tmp_path, largest)
    main([str(file), *SIZE, "--pattern", "GBRG"])
    main([str(file), *SIZE, "--black", "64", "--white", "5000"])
    default, given = found
    assert default.signal == raw_signal(0, white, "GBRG")
    assert given.signal == raw_signal(64, 5000, "RGGB")
    assert (given.signal.native_bits, default.codes.shape) == (13, (4, 20, 30))


def test_a_cameras_file_states_its_own_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    from qsense.data.frames.files import raw_files

    levels, gains = (60, 64, 64, 62), (2.0, 1.0, 1.0, 1.5)
    camera = raw_files.Mosaic(np.full((4, 4), 300, dtype=np.uint16), "BGGR", levels, 15000, gains)
    monkeypatch.setattr(raw_files, "read_mosaic", lambda file: camera)
    drawn: list[Scene] = []
    monkeypatch.setattr(scenes, "draw", lambda scene, *_: drawn.append(scene))
    main(["photo.nef"])
    main(["photo.nef", "--balance", "3", "1", "2"])
    monkeypatch.setattr(raw_files, "read_mosaic", lambda file: replace(camera, gains=None))
    main(["photo.nef"])
    assert all(scene.signal == raw_signal(60, 15000, "BGGR") for scene in drawn)
    assert [scene.gains for scene in drawn] == [(2.0, 1.0, 1.5), [3.0, 1.0, 2.0], None]


def test_a_simulated_cameras_balance_is_known_and_can_be_another(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Scene] = []
    monkeypatch.setattr(scenes, "draw", lambda scene, *_: drawn.append(scene))
    main(["--photo", "china"])
    main(["--photo", "china", "--balance", "1", "1", "1"])
    camera = mean_camera()
    assert [scene.gains for scene in drawn] == [(camera.red, 1.0, camera.blue), [1.0, 1.0, 1.0]]


def test_no_colour_can_be_taken_away(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as error:
        main(["--photo", "china", "--balance", "1", "0", "1"])
    assert error.value.code == 2
    assert_names(capsys.readouterr().err, "--balance", "above 0")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["mosaic.raw"], ("mosaic.raw", "--width", "--height")),
        (["gone.raw", *SIZE], ("gone.raw",)),
        (["gone.nef"], ("gone.nef",)),
        (["--data", "synthetic_rew"], ("data=synthetic_rew", "synthetic_raw", "synthetic_raw")),
        (["--data", "digits"], ("--data digits", "images")),
        (["--data", "synthetic_raw", "--frame", "9999"], ("--frame 9999", "synthetic_raw", 0, 199)),
        (
            ["--data", "synthetic_raw", "--root", "/x"],
            ("--root", "qsense.data.frames.synthetic_raw.SyntheticRaw"),
        ),
        (["--photo", "chna"], ("--photo chna", *SAMPLES)),
        (["--data", "synthetic_raw", "--bits", "0"], ("bits=0", "Gamma", 1, 16)),
        (["--data", "synthetic_raw", "--gammas", "-1"], ("gamma=-1.0", "Gamma")),
    ],
)
def test_what_cannot_be_drawn_is_one_line(
    arguments: list[str], named: tuple[object, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert door(["scenes", *arguments]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert_names(said, *named)


def test_nothing_to_draw(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as error:
        main([])
    assert error.value.code == 2
    assert_names(capsys.readouterr().err, "error", "--data")


def test_help_needs_no_torch() -> None:
    program = (
        "import sys; from qsense.commands.scenes import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: print({'torch', 'matplotlib', 'rawpy', 'hydra'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("set()\n")
