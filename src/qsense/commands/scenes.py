"""Draw raw scenes through linear, log and γ at several bits, as contact sheets.

qsense scenes photo.dng mosaic.raw --width 768 --height 512
qsense scenes --data synthetic_raw --frame 0 1 2 --bits 4
qsense scenes --photo china --bits 2 4 --gammas 0.35
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qsense.commands._parser import Parser
from qsense.runs.next_steps import say_next
from qsense.signal import BAYER, Signal

if TYPE_CHECKING:
    import numpy.typing as npt

    from qsense.data.frames.storing.plane_cache import Codes

HEADLESS = ".raw"
SHORT_SIDE = 400  # pixels of a plane that are shown
SAMPLES = ("china", "flower")  # photographs that come with scikit-learn; their author: danielbuechele, CC BY 2.0
SHEET_DPI = 100  # of a sheet, which holds many images
PHOTO_BITS = 12  # native ones of a simulated frame


@dataclass(frozen=True, eq=False)
class Scene:
    """A raw image.

    Args:
        name: of the file.
        title: of its sheet.
        codes: native codes [planes, h, w].
        signal: what its sensor delivers.
        gains: its white balance, of red, green and blue; None: not known.
    """

    name: str
    title: str
    codes: Codes
    signal: Signal
    gains: Sequence[float] | None = None


def raw_signal(black: int, white: int, pattern: str) -> Signal:
    """A Bayer sensor whose range is the counts from black to white."""
    bits = white.bit_length()
    return Signal(4, 0.0, 1.0, "share of full scale", native_bits=bits, black=black, white=white, bayer=pattern)


def from_file(file: Path, options: argparse.Namespace) -> Scene:
    """A camera's raw file, or a headless mosaic.

    Raises:
        DataError: a file that cannot be read.
        ValueError: a headless file without its size, or impossible levels.
    """
    from qsense.data.frames.files.headless import Layout, read_headless
    from qsense.data.frames.files.raw_files import read_mosaic
    from qsense.data.frames.geometry.bayer import pack
    from qsense.data.frames.geometry.stored_sizes import shrunk

    if file.suffix.lower() == HEADLESS:
        if options.width is None or options.height is None:
            raise ValueError(f"{file} states no size: give --width and --height, in samples of the mosaic")
        layout = Layout(
            options.height, options.width, options.sample, options.packing, options.byte_order, options.stride
        )
        mosaic: npt.NDArray[Any] = read_headless(file, layout)
        pattern, black = options.pattern, 0
        # Whole bytes do not say how many bits of them are used: as many as the largest count needs.
        bits = max(int(mosaic.max()), 1).bit_length() if layout.packing == "none" else layout.bits
        white, gains = (1 << bits) - 1, None
    else:
        camera = read_mosaic(file)
        mosaic, pattern, black, white = camera.codes, camera.pattern, min(camera.black), camera.white
        gains = None if camera.gains is None else (camera.gains[0], camera.gains[1], camera.gains[3])
    black = black if options.black is None else options.black
    white = white if options.white is None else options.white
    signal = raw_signal(black, white, pattern)
    title = f"{file.stem}: {signal.bayer}, black {black}, white {white}"
    return Scene(file.stem, title, shrunk(pack(mosaic, pattern), SHORT_SIDE), signal, options.balance or gains)


def from_data(options: argparse.Namespace) -> Iterator[Scene]:
    """Test frames of a data set.

    Raises:
        ConfigError: no such data set, or one without raw frames.
        DataError: frames that cannot be read.
        ValueError: a frame that is not there.
    """
    from hydra.utils import instantiate

    from qsense.data.frames.geometry.stored_sizes import shrunk
    from qsense.experiment.compose import compose
    from qsense.experiment.errors import ConfigError

    config = compose(["task=detection", f"data={options.data}"])
    if options.root is not None:
        if "root" not in config.data.dataset:
            raise ValueError(f"--root: {config.data.dataset._target_} is computed and reads no folder")
        config.data.dataset.root = options.root
    data = instantiate(config.data, _partial_=True, _convert_="all")(fold=0, seed=0)
    if data.gives != "frames":
        raise ConfigError(f"--data {options.data}: it gives {data.gives}, and scenes are raw frames")
    data.dataset.check()
    data.prepare_data()
    frames = data.dataset.frames("test")
    for index in options.frame:
        if not 0 <= index < len(frames):
            raise ValueError(f"--frame {index}: {options.data} has test frames 0 to {len(frames) - 1}")
        title = f"{data.dataset.name}, {frames[index].name}"
        codes = shrunk(data.codes(frames[index]), SHORT_SIDE)
        gains = options.balance or frames[index].gains
        yield Scene(f"{options.data}-{index}", title, codes, data.signal, gains)


def from_photo(name: str, stops: float, iso: float, gains: Sequence[float] | None = None) -> Scene:
    """The raw frame that a camera may have delivered in place of a photograph, in less light: a simulation.

    Args:
        name: of one of scikit-learn's sample photographs, or a file's.
        stops: how many factors of two less light there is.
        iso: of the sensor's noise.
        gains: its white balance; None: that of the simulated camera.

    Raises:
        DataError: a file that cannot be read.
    """
    import numpy as np

    from qsense.data.frames.geometry.stored_sizes import shrunk
    from qsense.data.frames.simulation.inverse_isp import mean_camera, mosaic_planes, sense, unprocess

    camera = mean_camera()
    light = mosaic_planes(unprocess(photograph(name), camera)) * np.float32(2**-stops)
    codes = sense(light, iso, PHOTO_BITS, np.random.default_rng(0))
    title = f"A photograph as a raw frame of {PHOTO_BITS} bits with 1/{2**stops:.3g} of the light (simulated)"
    signal = raw_signal(0, (1 << PHOTO_BITS) - 1, "RGGB")
    return Scene(Path(name).stem, title, shrunk(codes, SHORT_SIDE), signal, gains or (camera.red, 1.0, camera.blue))


def photograph(name: str) -> npt.NDArray[Any]:
    """A photograph, uint8 [h, w, 3].

    Raises:
        ConfigError: neither a built-in one nor a file.
    """
    from importlib.resources import as_file, files

    import numpy as np

    from qsense.data.photos import read_photo
    from qsense.experiment.errors import ConfigError
    from qsense.runs.escapes import one_line

    if name not in SAMPLES:
        if not Path(name).exists():
            raise ConfigError(f"--photo {one_line(name)}: there is no such file; built in are {', '.join(SAMPLES)}")
        return np.asarray(read_photo(Path(name)))
    with as_file(files("sklearn.datasets.images") / f"{name}.jpg") as file:
        return np.asarray(read_photo(file))


def draw(scene: Scene, bits: Sequence[int], gammas: Sequence[float], out: Path) -> Path:
    """Write `<out>/<name>.png` and return where that is.

    Raises:
        ValueError: bits or exponents that quantizers refuse.
    """
    import numpy as np
    import torch

    from qsense.plots.scene import plot_scene
    from qsense.plots.style import save
    from qsense.quant.sensor.fixed import fixed_curves
    from qsense.quant.sensor.identity import Identity

    codes = torch.from_numpy(scene.codes.astype(np.int32))[None]
    with torch.no_grad():
        light = Identity(scene.signal)(codes)[0].numpy()
        rows = [fixed_curves(scene.signal, resolution, gammas) for resolution in bits]
        seen = [[sensor(codes)[0].numpy() for sensor in row.values()] for row in rows]
        cuts = [[sensor.thresholds().numpy() for sensor in row.values()] for row in rows]
    file = out / f"{scene.name}.png"
    save(plot_scene(light, seen, bits, list(rows[0]), scene.title, cuts, scene.gains), file, dpi=SHEET_DPI)
    return file


def parser() -> argparse.ArgumentParser:
    """The command line's arguments."""
    from qsense.data.frames.files.headless import PACKINGS

    parser = Parser(
        prog="qsense scenes",
        description="Draw raw scenes through linear, log and γ at several bits: one contact sheet (PNG) each. Every "
        "level is shown as the light it means, with the camera's white balance where it is known and a guess else, for "
        "the picture alone; a strip below shows where the thresholds lie over the scene's light.",
    )
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="camera raw files, or headless .raw ones")
    parser.add_argument(
        "--photo",
        help=f"a photograph as a raw frame in less light, simulated: {', '.join(SAMPLES)} (built in), or a file",
    )
    parser.add_argument("--stops", type=float, default=4.0, help="of a photo: factors of two less light (default: 4)")
    parser.add_argument("--iso", type=float, default=100.0, help="of a photo: its sensor's noise (default: 100)")
    parser.add_argument("--data", help="a data set of raw frames, by its name in conf/data")
    parser.add_argument("--frame", type=int, nargs="+", default=[0], help="which of its test frames (default: 0)")
    parser.add_argument("--root", help="folder of the data set, if not where its configuration says")
    parser.add_argument("--bits", type=int, nargs="+", default=[2, 4, 6, 8], help="resolutions (default: 2 4 6 8)")
    parser.add_argument("--gammas", type=float, nargs="+", default=[0.6, 0.35, 0.2], help="(default: 0.6 0.35 0.2)")
    parser.add_argument("--out", type=Path, default=Path("scenes"), help="folder for the sheets (default: ./scenes)")
    parser.add_argument("--black", type=int, help="count that means no light (default: what the file states, else 0)")
    parser.add_argument("--white", type=int, help="count that means full scale (default: what the file states)")
    parser.add_argument(
        "--balance", type=float, nargs=3, metavar=("RED", "GREEN", "BLUE"), help="white balance (default: the camera's)"
    )
    headless = parser.add_argument_group("headless .raw files: numbers alone, row by row")
    headless.add_argument("--width", type=int, help="samples per row of the mosaic")
    headless.add_argument("--height", type=int, help="rows of the mosaic")
    headless.add_argument("--pattern", choices=BAYER, default="RGGB", help="colours of its top left cell (RGGB)")
    headless.add_argument(
        "--sample", "--bytes", type=int, choices=(1, 2, 3, 4), default=2, help="bytes of each number (default: 2)"
    )
    headless.add_argument(
        "--packing",
        choices=PACKINGS,
        default="none",
        help="numbers of 10 or 12 bits without gaps: as MIPI CSI-2 does, or lowest or highest bit first (none)",
    )
    headless.add_argument(
        "--byte-order", choices=("little", "big"), default="little", help="of numbers that are not packed (little)"
    )
    headless.add_argument("--stride", type=int, help="bytes from one row to the next (default: rows have no gaps)")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Draw one contact sheet per scene, and print where it is."""
    options = parser().parse_args(arguments)
    if options.balance and min(options.balance) <= 0:
        parser().error("--balance needs gains of red, green and blue above 0")
    if not options.files and options.data is None and options.photo is None:
        parser().error("name a raw file, a data set with --data, or a photograph with --photo")
    for file in options.files:
        print(draw(from_file(file, options), options.bits, options.gammas, options.out))
    if options.photo is not None:
        scene = from_photo(options.photo, options.stops, options.iso, options.balance)
        print(draw(scene, options.bits, options.gammas, options.out))
    for scene in from_data(options) if options.data is not None else ():
        print(draw(scene, options.bits, options.gammas, options.out))
    data = options.data or "synthetic_raw"
    say_next(
        (("visibility", "--bits", options.bits[0]), "how many simulated objects each curve leaves visible"),
        (("train", "task=detection", f"data={data}", "quant=linear,log,gamma", "-m"), "what a detector finds"),
    )
    return 0
