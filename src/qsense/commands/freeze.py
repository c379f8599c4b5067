"""Turn a run's quantized network into integers and scales, ready to deploy."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path

from qsense.commands._allow import add_allow, again
from qsense.commands._parser import Parser
from qsense.runs.escapes import one_line
from qsense.runs.next_steps import say_next

FROZEN = "frozen.pt"


def parser() -> argparse.ArgumentParser:
    """The command line's arguments."""
    parser = Parser(
        prog="qsense freeze",
        description=f"Write RUN/{FROZEN}, a quantized network as integers and scales, and test it beside the trained "
        "one: the same results bit for bit.",
    )
    parser.add_argument("run", type=Path, help="folder of a finished run whose network is quantized")
    parser.add_argument("--root", help="where the data lies now, if not where the run found it")
    add_allow(parser)
    return parser


def main(arguments: Sequence[str]) -> int:
    """Write the frozen network, test it; returns 1 if its results differ from the trained one's."""
    options = parser().parse_args(arguments)

    from qsense.experiment.load import load

    run = load(options.run, options.root, allow=options.allow)

    import torch  # heavy: not before the run is found

    from qsense.quant.network.freeze import freeze, stored_bytes
    from qsense.runs import folder as run_folder
    from qsense.runs.result import plain

    if run.task.network_quantizer is None:
        raise ValueError(f"the network of {options.run} is not quantized (quant.network is null): nothing to freeze")
    trained = run.evaluate()
    state = freeze(run.task.network)
    frozen = run.evaluate()
    if run.task.white_balance is not None:  # what the network's input goes through; `load_frozen` leaves it alone
        state["white_balance"] = run.task.white_balance.record()
    if run.task.standardise is not None:
        state["standardise"] = run.task.standardise.state_dict()
    file = options.run / FROZEN
    buffer = io.BytesIO()
    torch.save(state, buffer)
    run_folder.write_bytes_atomically(file, buffer.getvalue())
    size, packed = file.stat().st_size / 1e6, stored_bytes(state) / 1e6
    print(f"{one_line(str(file))}: {size:.3f} MB, of which packed weights {packed:.3f} MB")
    monitor = run.task.monitor
    print(f"{monitor} trained {trained['metrics'][monitor]:.6f}, frozen {frozen['metrics'][monitor]:.6f}")
    if plain(frozen) != plain(trained):  # a NaN is unlike itself
        print("the frozen network does not give the trained one's results", file=sys.stderr)
        return 1
    print("identical results")
    say_next(
        (("export", options.run, *again(options.allow), "--format", "onnx"), "the same network as ONNX"),
        (("report", options.run.parent), "size, operations and accuracy beside other runs"),
    )
    return 0
