"""A learned ADC as what engineers build from: tables, C, Verilog, registers, ONNX, a datasheet, and their check."""
