"""A converter with memory in every form: C, Verilog, vectors, tables, datasheet, and their check."""
