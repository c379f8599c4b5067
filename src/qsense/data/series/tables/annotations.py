"""The annotations beside the common CSV layout: they serve as checks of classes and durations.

Open it when an annotation file contradicts the recordings.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from qsense.data.errors import DataError
from qsense.data.series.tables.labels import NULL


def annotated_durations(files: Sequence[Path], classes: Sequence[str], name: str) -> dict[str, float]:
    """Seconds of each subject as the first of the annotation files states them; its class names are compared.

    Raises:
        DataError: the file is incomplete, or has other classes.
    """
    if not files:
        return {}
    try:
        content = json.loads(files[0].read_text())
        names = set(content["label_dict"])
        durations = {
            str(int(subject.rsplit("_", 1)[1])): float(facts["duration"])
            for subject, facts in content["database"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise DataError(f"{files[0]} is not a complete annotation file ({error!r}): fetch it again") from error
    expected = set(classes) - {NULL}
    if names != expected:
        raise DataError(
            f"{files[0]}: label_dict differs from the classes of {name}: "
            f"only in the file: {', '.join(sorted(names - expected)) or 'none'}; "
            f"missing in it: {', '.join(sorted(expected - names)) or 'none'}"
        )
    return durations
