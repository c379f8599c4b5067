"""RawDet-7: five raw data sets annotated anew with the same seven classes, mixed or one at a time.

Open it when the data set cannot be read, or to tell its sensors or its light apart in another way.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from qsense.data.errors import DataError, DataMissingError, listed
from qsense.data.frames.annotations.boxes import BoxCheck
from qsense.data.frames.annotations.pictures import Picture, picture_of
from qsense.data.frames.annotations.problems import read_all
from qsense.data.frames.annotations.rawdet import read_rawdet
from qsense.data.frames.annotations.values import printable
from qsense.data.frames.dataset import Part
from qsense.data.frames.files.headless import Layout
from qsense.data.frames.files.mosaic_files import Area, RawFormat
from qsense.data.frames.files.raw_folder import RawFolder
from qsense.data.frames.geometry.placing import Crop
from qsense.data.frames.raod import CONDITIONS as LIGHTS
from qsense.data.frames.raod import RAOD, condition_of
from qsense.data.frames.raw_frames import RawFrames

FOLDERS: dict[Part, str] = {"train": "train", "test": "val"}
MISSING = 5  # files that are named
Name = Literal["PASCAL_RAW", "RAOD", "RAW_NOD_NIKON", "RAW_NOD_SONY", "ZURICH"]


@dataclass(frozen=True)
class Sensor:
    """A part of the data set.

    Args:
        extension: of its raw files.
        format: what is stated about them.
        lights: of its frames; of two, a frame's name begins with its own.
    """

    extension: str
    format: RawFormat
    lights: tuple[str, ...]


SENSORS: dict[str, Sensor] = {
    "PASCAL_RAW": Sensor("nef", RawFormat(12), ("day",)),
    "RAOD": Sensor("raw", RawFormat(24, pattern="RGGB", layout=Layout(*RAOD.size, sample=3)), LIGHTS),
    "RAW_NOD_NIKON": Sensor("nef", RawFormat(14), ("night",)),
    "RAW_NOD_SONY": Sensor("arw", RawFormat(14, clip=True), ("night",)),
    # Its authors' code takes rows of red and green and rows of *blue and green* here, which is no Bayer pattern; all
    # other public readers of this set take RGGB.
    "ZURICH": Sensor("png", RawFormat(10, pattern="RGGB"), ("day",)),
}


class RawDet7(RawFrames):
    """PASCAL RAW, RAOD, both cameras of NOD, and the Zurich RAW to RGB data set, about 25 000 frames to train and 7 600
    to test (Fatima et al. 2026): 12, 24, 14, 14 and 10 bits, brought to one width without loss (`RawFrames`).

    Layout, as published: `<root>/combined_raw/{train,val}/<sensor>/…` and
    `<root>/annotations_normal_json/{train,val}/<sensor>/*.json`, one file per frame. `val` is tested on.

    Its authors read all of a camera's counts, masked borders included (`area: all`), and take boxes as pixels of that.
    That the annotated picture is as large is **not verified**; where it is smaller, the middle is taken. Of their two
    scripts, one keeps a score of just 0.8 and the other does not; here it is kept.

    Args:
        root: folder that holds `combined_raw` and `annotations_normal_json`.
        sensor: "all", or one of PASCAL_RAW, RAOD, RAW_NOD_NIKON, RAW_NOD_SONY, ZURICH.
        condition: what tells conditions: "sensor", for one γ each; "light", day or night; "none".
        score: smallest score of a box; 0.8 is the authors'. One that is not stated is 1.
        negatives: keep frames without any box; the authors' combined lists leave them out.
        area: see `RawFrames`.
        crop: see `RawFrames`.
        subtract_black: see `RawFrames`.
        strict: see `RawFrames`; boxes of other classes are refused, too.

    Raises:
        ValueError: an argument out of its range.
    """

    url = "https://data.dws.informatik.uni-mannheim.de/machinelearning/RawDet-7/"
    classes = ("car", "truck", "tram", "person", "bicycle", "motorcycle", "bus")

    def __init__(
        self,
        root: str,
        sensor: Literal["all"] | Name = "all",
        condition: Literal["sensor", "light", "none"] = "sensor",
        score: float = 0.8,
        negatives: bool = True,
        area: Area = "all",
        crop: Crop = "centre",
        subtract_black: bool = False,
        strict: bool = False,
    ) -> None:
        super().__init__(root, area=area, crop=crop, subtract_black=subtract_black, strict=strict)
        for key, value, allowed in (
            ("sensor", sensor, ("all", *SENSORS)),
            ("condition", condition, ("sensor", "light", "none")),
        ):
            if value not in allowed:
                raise ValueError(f"{key}={value!r} must be {', '.join(allowed)}")
        if not 0 <= score <= 1:
            raise ValueError(f"score={score} must be from 0 to 1")
        chosen = SENSORS if sensor == "all" else {sensor: SENSORS[sensor]}
        self.sensors = {name: replace(one, format=replace(one.format, area=area)) for name, one in chosen.items()}
        self.condition = condition
        lights = tuple(light for light in LIGHTS if any(light in one.lights for one in self.sensors.values()))
        names = {"sensor": tuple(self.sensors), "light": lights, "none": ()}[condition]
        self.conditions = names if len(names) > 1 else ()
        self.name = "RawDet-7" if sensor == "all" else f"RawDet-7 {sensor}"
        self.score = score
        self.negatives = negatives

    @property
    def bits(self) -> int:
        """See the base class."""
        return max(one.format.stated_bits or 0 for one in self.sensors.values())

    @property
    def settings(self) -> dict[str, Any]:
        """See the base class."""
        return super().settings | {name: asdict(one.format) for name, one in self.sensors.items()}

    def format_of(self, picture: Picture) -> RawFormat:
        """See the base class."""
        _, _, name, *_ = picture.file.relative_to(self.root).parts
        return self.sensors[name].format

    def annotated(self, part: Part) -> list[Picture]:
        """See the base class."""
        check = BoxCheck(self.strict)
        pictures = [picture for name in self.sensors for picture in self._pictures_of(name, part, check)]
        check.finish(str(self.root / "annotations_normal_json" / FOLDERS[part]))
        return pictures

    def _pictures_of(self, name: str, part: Part, check: BoxCheck) -> list[Picture]:
        """The frames of one sensor's part."""
        sensor = self.sensors[name]
        folders = [self.root / kind / FOLDERS[part] / name for kind in ("annotations_normal_json", "combined_raw")]
        for folder in folders:
            if not folder.is_dir():
                raise DataMissingError(
                    f"{folder} is missing: get it from {self.url}, unpack it, and point at the whole with "
                    "data.dataset.root=…, or take one sensor with data.dataset.sensor=…"
                )
        files = sorted(str(file) for file in folders[0].glob("*.json"))
        if not files:
            raise DataError(f"{folders[0]} has no annotations (*.json)")
        found = read_all(
            files, lambda file: read_rawdet(Path(file).read_bytes(), file, self.classes, self.score, check)
        )
        find = RawFolder(folders[1], sensor.extension, sensor.format.layout)
        pictures: list[Picture] = []
        missing = []
        for file, (image, objects) in found.items():
            if not self.negatives and not len(objects.labels):
                continue
            raw = find(PurePosixPath(image.replace("\\", "/")).name)
            if raw is None:
                missing.append(f"{printable(image)} ({file})")
            else:
                pictures.append(picture_of(raw, objects, len(pictures), self._condition_of(name, raw)))
        if missing:
            raise DataError(
                f"{folders[1]} lacks {len(missing)} of the {len(files)} raw files (*.{sensor.extension}) that "
                f"{folders[0]} annotates:" + listed(missing, len(missing), MISSING)
            )
        return pictures

    def _condition_of(self, name: str, raw: Path) -> int:
        """A frame's index into `conditions`."""
        if not self.conditions:
            return 0
        if self.condition == "sensor":
            return self.conditions.index(name)
        lights = self.sensors[name].lights
        return self.conditions.index(lights[0] if len(lights) == 1 else LIGHTS[condition_of(raw)])
