"""DeepConvLSTM (Ordóñez and Roggen, Sensors 2016) with γ-Quant's settings: the HAR baseline network.

Open it to change the network's layers.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn


class DeepConvLSTM(nn.Module):
    """Four convolutions along time, an LSTM over what is left of it, a classifier on its last step.

    (B, T, C) → unpadded Conv(filters, kernel, ReLU) × 4 per channel → (B, T', C·filters) → LSTM(hidden) → last step →
    dropout → linear → (B, num_classes) logits, with T' = T − 4·(kernel − 1). Weights start Xavier-normal, the biases
    of convolutions and classifier at zero (γ-Quant, section 4).

    Args:
        channels: sensor axes C.
        window: samples per window T.
        num_classes: classes, NULL included.
        filters: convolution filters per layer.
        kernel: kernel length along time, in samples.
        hidden: LSTM units.
        layers: LSTM layers.
        dropout: probability of dropping a unit of the last step, in [0, 1).
        lstm_bias: how the LSTM's biases start: "uniform" (torch's own, within 1/√hidden of 0) or "zero", as in the
            public configurations of γ-Quant's group.

    Raises:
        ValueError: the window is too short for four unpadded convolutions, or another start of the biases.

    >>> sum(p.numel() for p in DeepConvLSTM(channels=12, window=50, num_classes=19).parameters())
    573651
    """

    def __init__(
        self,
        channels: int,
        window: int,
        num_classes: int,
        filters: int = 64,
        kernel: int = 9,
        hidden: int = 128,
        layers: int = 1,
        dropout: float = 0.5,
        lstm_bias: Literal["uniform", "zero"] = "uniform",
    ) -> None:
        super().__init__()
        if lstm_bias not in ("uniform", "zero"):
            raise ValueError(f"lstm_bias={lstm_bias!r} must be uniform or zero")
        self.lstm_bias = lstm_bias
        shortest = 4 * (kernel - 1) + 1
        if window < shortest:
            raise ValueError(
                f"window={window} is too short: four convolutions with kernel={kernel} need at least {shortest} samples"
            )
        convolutions: list[nn.Module] = []
        for layer in range(4):
            convolutions += [nn.Conv2d(1 if layer == 0 else filters, filters, (kernel, 1)), nn.ReLU()]
        self.convolutions = nn.Sequential(*convolutions)
        # batch_first matters: without it the LSTM would recur over the batch instead of over time.
        self.lstm = nn.LSTM(channels * filters, hidden, layers, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(hidden, num_classes)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new weights: Xavier-normal matrices, zero biases of convolutions and classifier; see `lstm_bias`."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.xavier_normal_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for name, parameter in self.lstm.named_parameters():
            if name.startswith("weight"):
                nn.init.xavier_normal_(parameter)
            elif self.lstm_bias == "zero":
                nn.init.zeros_(parameter)

    def chain(self) -> list[nn.Module]:
        """What a window passes, in order."""
        return [*self.convolutions, self.lstm, self.dropout, self.classifier]

    def forward(self, x: Tensor) -> Tensor:
        """Class logits (B, num_classes) of windows (B, T, C)."""
        x = self.convolutions(x.unsqueeze(1))  # (B, filters, T', C)
        x = x.permute(0, 2, 3, 1).flatten(2)  # (B, T', C·filters)
        states, _ = self.lstm(x)
        logits: Tensor = self.classifier(self.dropout(states[:, -1]))
        return logits
