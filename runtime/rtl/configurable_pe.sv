// Processing element of a weight-stationary array whose pipeline can be made shallower (ArrayFlex, arXiv 2211.12600).
//
// Activations move right, partial sums move down, each through a register that a configuration bit makes transparent.
// Between the registers a partial sum is a carry-save pair; only the last element of a vertical group (vertical_bypass = 0)
// adds the two up, once a cycle, and registers the sum.
module configurable_pe #(
    parameter int unsigned OPERAND_WIDTH = 8,
    parameter int unsigned SUM_WIDTH = 32,
    parameter bit DOUBLE_BUFFERED = 1'b0
) (
    input  logic                     clk,
    input  logic                     horizontal_bypass,
    input  logic                     vertical_bypass,

    input  logic                     weight_load,
    input  logic                     weight_swap,
    input  logic [OPERAND_WIDTH-1:0] weight_in,
    output logic [OPERAND_WIDTH-1:0] weight_out,

    input  logic [OPERAND_WIDTH-1:0] activation_in,
    output logic [OPERAND_WIDTH-1:0] activation_out,

    input  logic [SUM_WIDTH-1:0]     sum_in,
    input  logic [SUM_WIDTH-1:0]     carry_in,
    output logic [SUM_WIDTH-1:0]     sum_out,
    output logic [SUM_WIDTH-1:0]     carry_out
);
    logic [OPERAND_WIDTH-1:0] weight;
    logic [SUM_WIDTH-1:0] product;
    logic [SUM_WIDTH-1:0] saved_sum;
    logic [SUM_WIDTH-1:0] saved_carry;
    logic [SUM_WIDTH-1:0] total;

    weight_register #(.WIDTH(OPERAND_WIDTH), .DOUBLE_BUFFERED(DOUBLE_BUFFERED)) weights (
        .clk, .weight_load, .weight_swap, .weight_in, .weight_out, .weight
    );

    transparent_register #(.WIDTH(OPERAND_WIDTH)) horizontal (
        .clk, .bypass(horizontal_bypass), .d(activation_in), .q(activation_out)
    );

    signed_multiplier #(.OPERAND_WIDTH(OPERAND_WIDTH), .SUM_WIDTH(SUM_WIDTH)) multiplier (
        .a(activation_in), .b(weight), .product
    );

    carry_save_adder #(.WIDTH(SUM_WIDTH)) compressor (
        .a(product), .b(sum_in), .c(carry_in), .sum(saved_sum), .carry(saved_carry)
    );

    // Not a transparent_register: what it holds is the sum of the pair, what passes by it is the pair.
    always_ff @(posedge clk) begin
        if (!vertical_bypass) total <= saved_sum + saved_carry;
    end

    assign sum_out = vertical_bypass ? saved_sum : total;
    assign carry_out = vertical_bypass ? saved_carry : '0;
endmodule
