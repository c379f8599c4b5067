"""Tiny recordings in the layouts that phones' apps, loggers and spreadsheets write."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt

GRAVITY = 9.80665
START = datetime(2026, 3, 4, 10, 15, 30)
PHYPHOX = ["Time (s)", *(f"Acceleration {axis} (m/s^2)" for axis in "xyz"), "Absolute acceleration (m/s^2)"]
Floats = npt.NDArray[np.float64]


def motion(activity: str, seconds: float = 8.0, rate: float = 50.0, seed: int = 0) -> Floats:
    """Acceleration [time, 3] in g: rest, or steps of an activity's own rhythm, on a phone's 16-bit grid."""
    random = np.random.default_rng([seed, *activity.encode()])
    time = np.arange(round(seconds * rate)) / rate
    swing = {"walking": 0.25, "running": 0.9}.get(activity, 0.0)
    beat = swing * np.sin(2 * np.pi * (1 + len(activity) % 3) * time)
    x = np.stack([0.1 + 0.3 * beat, -0.05 + 0.2 * beat, 0.99 + beat], axis=1) + random.normal(0, 0.01, (len(time), 3))
    return np.asarray(np.round(x * 4096) / 4096)


def phyphox(
    path: Path, x: Floats, rate: float = 50.0, delimiter: str = ",", decimal: str = ".", encoding: str = "utf-8"
) -> None:
    """`Raw Data.csv` of phyphox: quoted heads with units, scientific notation, times from 0 on, |a| last."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [delimiter.join(f'"{name}"' for name in PHYPHOX)]
    for number, sample in enumerate(x * GRAVITY):
        values = [number / rate + 0.0031, *sample, float(np.linalg.norm(sample))]
        rows.append(delimiter.join(f"{value:.9E}".replace(".", decimal) for value in values))
    path.write_text("\n".join(rows) + "\n", encoding=encoding)
    (path.parent / "meta").mkdir(exist_ok=True)
    (path.parent / "meta" / "device.csv").write_text('"property","value"\n"deviceModel","A"\n')
    (path.parent / "meta" / "time.csv").write_text('"event","experiment time","system time"\n"START",0.0,1.7E9\n')


def sensor_logger(folder: Path, x: Floats, rate: float = 100.0, jitter: float = 0.0) -> None:
    """A folder of Sensor Logger: one file per sensor, time in ns since 1970, z before y before x."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(3)
    elapsed = np.sort(np.arange(len(x)) / rate + 0.05 + random.uniform(0, jitter, len(x)) / rate)
    start = 1_709_547_330_000_000_000
    for name, values in (
        ("TotalAcceleration", x * GRAVITY),
        ("Accelerometer", (x - [0.1, -0.05, 0.99]) * GRAVITY),
        ("Gravity", np.tile([[0.98, -0.49, 9.7]], (len(x), 1))),
        ("Gyroscope", x / 3),
    ):
        rows = ["time,seconds_elapsed,z,y,x"]
        rows += [f"{start + round(t * 1e9)},{t:.7f},{z},{y},{a}" for t, (a, y, z) in zip(elapsed, values, strict=True)]
        (folder / f"{name}.csv").write_text("\n".join(rows) + "\n")
    (folder / "Metadata.csv").write_text("version,device name\n3,Phone\n")
    (folder / "Annotation.csv").write_text("time,seconds_elapsed,text\n")


def accelerometer_logger(path: Path, x: Floats, rate: float = 50.0) -> None:
    """An Android logger: a comment above, semicolons, milliseconds, units in brackets, m/s²."""
    rows = ["# sensor log", "time[ms]; x-axis[m/s^2]; y-axis[m/s^2]; z-axis[m/s^2]"]
    for number, sample in enumerate(x * GRAVITY):
        rows.append("; ".join([str(728 + round(number * 1000 / rate)), *(f"{value:.6f}" for value in sample)]))
    path.write_text("\n".join(rows) + "\n")


def physics_toolbox(path: Path, x: Floats, rate: float = 50.0) -> None:
    """Physics Toolbox: local dates with four digits of a second, g-force, its total last."""
    rows = ["time,gFx,gFy,gFz,TgF"]
    for number, sample in enumerate(x):
        stamp = (START + timedelta(seconds=number / rate)).strftime("%Y-%m-%d %H:%M:%S.%f")[:-2]
        rows.append(",".join([stamp, *(f"{value:.4f}" for value in sample), f"{np.linalg.norm(sample):.3f}"]))
    path.write_text("\n".join(rows) + "\n")


def androsensor(path: Path, x: Floats, rate: float = 50.0) -> None:
    """AndroSensor: semicolons, several sensors side by side, milliseconds and a date of its own last."""
    heads = [f"{kind} {axis} ({unit})" for kind, unit in
             (("ACCELEROMETER", "m/s²"), ("GRAVITY", "m/s²"), ("GYROSCOPE", "rad/s")) for axis in "XYZ"]  # fmt: skip
    rows = [";".join([*heads, "Time since start in ms ", "YYYY-MO-DD HH-MI-SS_SSS"])]
    for number, sample in enumerate(x * GRAVITY):
        ms = round(number * 1000 / rate)
        stamp = (START + timedelta(milliseconds=ms)).strftime("%Y-%m-%d %H-%M-%S_") + f"{ms % 1000:03d}"
        rows.append(";".join([*(f"{v:.4f}" for v in sample), "0.9;0.4;9.7;0.01;0.02;0.03", str(ms), stamp]))
    path.write_text("\n".join(rows) + "\n")


def spreadsheet(
    path: Path,
    subjects: Sequence[str],
    activities: Sequence[str],
    bom: bool = True,
    encoding: str = "utf-8",
    unit: float = 1.0,
) -> None:
    """A German spreadsheet: semicolons, decimal commas, all subjects and labels in one file, ISO dates."""
    rows = ["Proband;Zeit;acc_x;acc_y;acc_z;Aktivität"]
    for number, subject in enumerate(subjects):
        clock = START + timedelta(hours=number)
        for activity in activities:
            for sample in motion(activity, seed=number) * unit:
                words = [subject, clock.isoformat(timespec="milliseconds"), *(f"{v:.5f}" for v in sample), activity]
                rows.append(";".join(words).replace(".", ","))
                clock += timedelta(milliseconds=20)
    text = "\r\n".join(rows) + "\r\n"
    path.write_bytes((("\ufeff" if bom and encoding == "utf-8" else "") + text).encode(encoding))


def counts(path: Path, activities: Sequence[str], seed: int = 0, per_g: int = 4096, header: bool = False) -> None:
    """A microcontroller's log: no names, microseconds, raw counts, a number for the label."""
    rows = ["t_us\tx\ty\tz\tlabel"] if header else []
    tick = 1000
    for number, activity in enumerate(activities):
        for sample in np.round(motion(activity, seed=seed) * per_g).astype(int):
            rows.append("\t".join(map(str, [tick, *sample, number])))
            tick += 20_000
    path.write_text("\n".join(rows) + "\n")
