"""Turn a run's quantized network into integers and scales, ready to deploy: `qsense freeze RUN`."""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

from qsense.experiment.errors import ConfigError
from qsense.experiment.load import rebuild
from qsense.runs import folder as run_folder

FROZEN = "frozen.pt"


def main() -> None:
    """Write `<run>/frozen.pt`, test the frozen network beside the trained one; exit with 1 if they differ."""
    parser = argparse.ArgumentParser(prog="qsense freeze", description=__doc__)
    parser.add_argument("run", type=Path, help="folder of a finished run whose network is quantized")
    parser.add_argument("--root", help="where the data lies now, if not where the run found it")
    options = parser.parse_args()
    try:
        again = rebuild(options.run, options.root)
    except (FileNotFoundError, ValueError, ConfigError) as error:
        sys.exit(f"error: {error}")

    import torch

    from qsense.quant.network.freeze import freeze, stored_bytes

    trainer, task = again.trainer, again.task
    if task.network_quantizer is None:
        sys.exit(f"error: the network of {options.run} is not quantized (quant.network is null): nothing to freeze")
    trainer.test(task, datamodule=again.data, ckpt_path=again.checkpoint, weights_only=True, verbose=False)
    trained = task.results()
    state = freeze(task.network)
    trainer.test(task, datamodule=again.data, verbose=False)
    frozen = task.results()
    file = options.run / FROZEN
    buffer = io.BytesIO()
    torch.save(state, buffer)
    run_folder.write_bytes_atomically(file, buffer.getvalue())
    print(f"{file}: {file.stat().st_size / 1e6:.3f} MB, of which packed weights {stored_bytes(state) / 1e6:.3f} MB")
    print(
        f"{task.monitor} trained {trained['metrics'][task.monitor]:.6f}, frozen {frozen['metrics'][task.monitor]:.6f}"
    )
    if frozen != trained:
        sys.exit("the frozen network does not give the trained one's results")
    print("identical results")


if __name__ == "__main__":
    main()
