"""The bench of a converter with memory: encoder and decoder against the vector file, in Verilog (IEEE 1364-2001).

Open it to change what a simulation compares; the modules themselves are in `verilog.py`.
"""

from __future__ import annotations

from qsense.chip.memory.codec import Codec
from qsense.chip.memory.modules import width
from qsense.chip.memory.vectors import vectors, widths


def bench(codec: Codec) -> str:
    """`<name>_tb.v`: drives every vector of `<name>_vectors.hex`, in order, through each channel's encoder and decoder,
    and says PASS or FAIL.

    iverilog -g2001 -o tb <name>.v <name>_tb.v && vvp tb
    """
    name, native, sent, channels = codec.name, codec.native_bits, codec.sent_bits, len(codec.channels)
    of_flags, of_channel, of_count, of_code, of_value = (4 * digits for digits in widths(codec))
    whole = of_flags + of_channel + of_count + of_code + of_value
    step = f"            wire signed [{width(codec) - 1}:0] step;\n" if codec.adaptive else ""
    connected = ", .step(step)" if codec.adaptive else ""
    return f"""\
// Self-checking: iverilog -g2001 -o tb {name}.v {name}_tb.v && vvp tb
`timescale 1ns / 1ps

module {name}_tb;
    parameter COUNT = {len(vectors(codec).count)};
    reg [{whole - 1}:0] vectors [0:COUNT-1];
    reg [{whole - 1}:0] vector;
    reg clock, lost;
    reg [{channels - 1}:0] start, valid;
    reg [{channels * native - 1}:0] sample;  // of each channel its own, so that the others stay at rest
    reg [{channels * sent - 1}:0] codes;
    reg [{sent - 1}:0] code;
    reg [15:0] value;
    wire [{channels * sent - 1}:0] sent;
    wire [{channels * 16 - 1}:0] decoded;
    wire [{channels - 1}:0] ready;
    integer index, channel, wrong;

    genvar c;
    generate
        for (c = 0; c < {channels}; c = c + 1) begin : each
            wire signed [15:0] known, prediction;
            wire is_sample, refreshes;
{step}            {name}_encoder #(.CHANNEL(c)) encoder (
                .clock(clock), .start(start[c]), .valid(valid[c]), .sample(sample[c*{native} +: {native}]),
                .code(sent[c*{sent} +: {sent}]), .code_valid(ready[c]), .code_is_sample(is_sample), .value(known)
            );
            {name}_decoder #(.CHANNEL(c)) decoder (
                .clock(clock), .start(start[c]), .valid(valid[c]), .lost(lost), .code(codes[c*{sent} +: {sent}]),
                .value(decoded[c*16 +: 16]), .prediction(prediction){connected}, .refreshes(refreshes)
            );
        end
    endgenerate

    initial begin
        $readmemh("{name}_vectors.hex", vectors);
        clock = 0;
        start = 0;
        valid = 0;
        wrong = 0;
        for (index = 0; index < COUNT; index = index + 1) begin
            vector = vectors[index];
            channel = vector[{of_count + of_code + of_value} +: {of_channel}];
            code = vector[{of_value} +: {sent}];
            sample[channel*{native} +: {native}] = vector[{of_code + of_value} +: {native}];
            codes[channel*{sent} +: {sent}] = code;
            value = vector[0 +: 16];
            lost = vector[{whole - of_flags + 1}];
            if (vector[{whole - of_flags}]) begin
                start[channel] = 1;
                #1 clock = 1;
                #1 clock = 0;
                start[channel] = 0;
            end
            valid[channel] = 1;
            #1 clock = 1;
            #1 clock = 0;
            valid[channel] = 0;
            if (^vector === 1'bx) begin
                wrong = wrong + 1;
                if (wrong == 1)
                    $display("{name}_vectors.hex is missing or short");
            end
            if (ready[channel] !== 1'b1 || sent[channel*{sent} +: {sent}] !== code) begin
                wrong = wrong + 1;
                if (wrong <= 10)
                    $display("encoder: channel %0d, vector %0d: code %0d instead of %0d", channel, index,
                        sent[channel*{sent} +: {sent}], code);
            end
            if (decoded[channel*16 +: 16] !== value) begin
                wrong = wrong + 1;
                if (wrong <= 10)
                    $display("decoder: channel %0d, vector %0d: value %0d instead of %0d", channel, index,
                        $signed(decoded[channel*16 +: 16]), $signed(value));
            end
        end
        if (wrong == 0)
            $display("PASS: %0d samples, 0 differences", COUNT);
        else
            $display("FAIL: %0d samples, %0d differences", COUNT, wrong);
        $finish;
    end
endmodule
"""
