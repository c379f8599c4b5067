"""The papers' figures by name, drawn from finished runs with the pictures that runs draw of themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from qsense.runs.status import FINISHED
from qsense.study.files import scores_png
from qsense.study.run import ReportError, Run
from qsense.study.summary import table
from qsense.study.writing import write_each

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from qsense.experiment.load import TrainedRun

MOST_DRAWN = 12  # runs that are loaded for a figure; each takes seconds


@dataclass(frozen=True)
class PaperFigure:
    """One figure of a paper.

    Args:
        name: "gamma_quant/3".
        shows: what it shows, in a line.
        takes: whether it can be drawn from a run.
        needs: such runs in words, for the message where there is none.
        of_run: draws it from a loaded run; None for a figure over many runs.
    """

    name: str
    shows: str
    takes: Callable[[Run], bool]
    needs: str
    of_run: Callable[[TrainedRun], Figure | None] | None = None


def draw(name: str, runs: Sequence[Run], out: Path, allow: Sequence[str] = ()) -> list[Path]:
    """Draw a figure into `out`: one file over all fitting runs, or one for each of them.

    Args:
        name: of the figure, as in `FIGURES`.
        runs: runs to draw from; those that do not fit are passed over.
        out: a folder, made if it is not there.
        allow: modules of the user's own that runs may be built from, as in `load`.

    Raises:
        ReportError: no such figure, or no run that fits.
        NotWrittenError: of some runs that fit it could not be drawn; of the others it is.
    """
    if name not in FIGURES:
        raise ReportError(f"there is no figure {name}; those that runs can draw: {', '.join(FIGURES)}")
    figure = FIGURES[name]
    fitting = [run for run in runs if run.status == FINISHED and figure.takes(run)]
    if not fitting:
        raise ReportError(f"figure {name} needs {figure.needs}; none of the {len(runs)} runs is such a one")
    file = name.replace("/", "_")
    if figure.of_run is None:
        path = out / f"{file}.png"
        return write_each({path: partial(scores_png, table(fitting, "map"), heading=figure.shows)})
    if len(fitting) > MOST_DRAWN:
        fitting = _spread(fitting)
    files: dict[Path, Run] = {}
    for run in fitting:
        stem = f"{file}-{run.folder.name}"  # the same experiment in two folders has runs of the same names
        names = (f"{stem}{'' if number == 1 else f'-{number}'}.png" for number in count(1))
        files[next(path for name in names if (path := out / name) not in files)] = run
    return write_each({path: partial(_draw_run, figure.of_run, run, allow=allow) for path, run in files.items()})


def _spread(fitting: Sequence[Run]) -> list[Run]:
    """As many as are drawn, of as many kinds as possible: repeats of a kind (seed, fold) come last."""
    seen: dict[tuple[str, str, int | None, int | None, str], int] = {}
    ranked = []
    for run in fitting:
        kind = (run.dataset, run.quant, run.bits, run.network_bits, run.model)
        seen[kind] = seen.get(kind, 0) + 1
        ranked.append((seen[kind], run))
    return [run for _, run in sorted(ranked, key=lambda pair: (pair[0], str(pair[1].folder)))[:MOST_DRAWN]]


def _draw_run(of_run: Callable[[TrainedRun], Figure | None], run: Run, path: Path, allow: Sequence[str]) -> None:
    from qsense.experiment.errors import EXPECTED
    from qsense.experiment.load import load
    from qsense.plots.style import save

    try:
        trained = load(run.folder, allow=allow)
        trained.data.prepare_data()
        trained.data.setup("fit")
        trained.data.setup("test")
    except EXPECTED as error:
        raise ReportError(f"{run.path} cannot be rebuilt: {error}") from error
    figure = of_run(trained)
    if figure is None:
        raise ReportError(f"{run.path} has nothing to draw for this figure")
    save(figure, path)


# --------------------------------------------------------------------------------------------------------- the figures


def _transfer(trained: TrainedRun) -> Figure | None:
    """The curve as it began and as it was learned, over the data: windows of a series, or a raw histogram."""
    from qsense.callbacks.detection_figures import DetectionFigures
    from qsense.callbacks.figures import Figures
    from qsense.callbacks.pictures import Pictures

    task, data = trained.task, trained.data
    figures: Pictures = DetectionFigures("") if task.takes == "frames" else Figures("")
    figures.begin(trained.untrained())
    return figures.drawings(trained.trainer)["raw_histogram" if task.takes == "frames" else "transfer"](task, data)


def _scene(trained: TrainedRun) -> Figure | None:
    from qsense.callbacks.detection_figures import DetectionFigures
    from qsense.data.frames.module import DetectionDataModule
    from qsense.tasks.detection import DetectionTask

    task, data = trained.task, trained.data
    assert isinstance(task, DetectionTask)
    assert isinstance(data, DetectionDataModule)
    return DetectionFigures(folder="").scene(task, data)


def _network(name: str, bands: int = 0) -> Callable[[TrainedRun], Figure | None]:
    def figure(trained: TrainedRun) -> Figure | None:
        from qsense.callbacks.network_figures import NetworkFigures

        task = trained.task
        return NetworkFigures(folder="", bands=bands).drawings(trained.trainer)[name](task, trained.data)

    return figure


def _fat(run: Run) -> bool:
    return run.settings.get("quant.network.transform", "none") not in ("none", "null")


FIGURES = {
    figure.name: figure
    for figure in (
        PaperFigure(
            "gamma_quant/3",
            "the learned transfer curve with its levels, over the data",
            lambda run: bool(run.learned.get("gamma")),
            "finished runs that learned a γ (quant=gamma, gamma_per_axis)",
            _transfer,
        ),
        PaperFigure(
            "gamma_quant/4",
            "mAP against bits on PASCAL RAW, a panel per detector: linear, log, γ; raw and sRGB images as levels",
            lambda run: run.dataset == "PASCAL RAW",
            "finished runs on PASCAL RAW (experiment=pascal_raw_faster_rcnn and its sisters)",
        ),
        PaperFigure(
            "gamma_quant/5",
            "one scene through linear, log and γ, and through what the run has learned",
            lambda run: run.task == "detection",
            "finished runs of object detection (task=detection)",
            _scene,
        ),
        PaperFigure(
            "gamma_quant/6",
            "mAP against bits on RAOD, a panel per detector; a γ for day and one for night, where runs have them",
            lambda run: run.dataset == "RAOD",
            "finished runs on RAOD (task=detection data=raod)",
        ),
        PaperFigure(
            "fat/6",
            "frequency maps and learned masks of chosen layers",
            _fat,
            "finished runs with FAT's transform (quant=fat)",
            _network("frequency"),
        ),
        PaperFigure(
            "fat/7",
            "the share of weights whose level the transform shifted, layer by layer",
            _fat,
            "finished runs with FAT's transform (quant=fat)",
            _network("shifted"),
        ),
        PaperFigure(
            "fat/supplement_4",
            "accuracy with each of 32 frequency bands of the weights halved",
            lambda run: run.task == "classification" and "quant.network.transform" in run.settings,
            "finished runs of classification with a quantized network (quant=fat, uniform_weights, log_weights)",
            _network("bands", bands=32),
        ),
    )
}
