"""What the parts of an export are called: its formats, codings, and symbols that C and Verilog take.

Open it to add a format. It imports nothing heavy, so that a command line is checked at once.
"""

from __future__ import annotations

import re

FORMATS = ("json", "csv", "c", "verilog", "registers", "vectors", "onnx", "datasheet")
FIRMWARE = "firmware"  # a whole program, and no form of the converter: only where it is asked for
CODINGS = ("offset", "twos_complement")  # how native counts are written
COMPARED = ("c", "verilog", "vectors", "onnx")  # the formats that a check compares
LONGEST = 60  # letters of a name that is made from others; file systems take 255
# IEEE 1364-2001, annex B, a few of SystemVerilog, and C99, 6.4.1
KEYWORDS = """
always and assign automatic begin buf bufif0 bufif1 case casex casez cell cmos config deassign default defparam
design disable edge else end endcase endconfig endfunction endgenerate endmodule endprimitive endspecify endtable
endtask event for force forever fork function generate genvar highz0 highz1 if ifnone incdir include initial inout
input instance integer join large liblist library localparam macromodule medium module nand negedge nmos nor
noshowcancelled not notif0 notif1 or output parameter pmos posedge primitive pull0 pull1 pulldown pullup
pulsestyle_ondetect pulsestyle_onevent rcmos real realtime reg release repeat rnmos rpmos rtran rtranif0 rtranif1
scalared showcancelled signed small specify specparam strong0 strong1 supply0 supply1 table task time tran tranif0
tranif1 tri tri0 tri1 triand trior trireg unsigned use vectored wait wand weak0 weak1 while wire wor xnor xor
bit byte class enum final interface int logic longint package program property shortint string struct type union
auto break char const continue do double extern float goto inline long register restrict return short sizeof static
switch typedef void volatile
"""


def check_symbol(text: str) -> str:
    """The text, which C and Verilog take as a name of their own.

    Raises:
        ValueError: it is a keyword of theirs, or holds other characters than a–z, 0–9 and _.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", text):
        raise ValueError(f"'{text}' is no name: use a–z, 0–9 and _, beginning with a letter")
    if text in KEYWORDS.split():
        raise ValueError(f"'{text}' is a keyword of C or Verilog: choose another name")
    return text


def identifier(text: str) -> str:
    """A name that C, Verilog and file systems take.

    >>> identifier("SBHAR γ-per axis 2bit"), identifier("2x")
    ('sbhar_per_axis_2bit', 'adc_2x')
    """
    plain = re.sub(r"[^a-z0-9]+", "_", text.lower())[:LONGEST].strip("_")
    return plain if plain[:1].isalpha() else f"adc_{plain}".strip("_")
