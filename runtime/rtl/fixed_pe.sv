// The same processing element without the configurability: what the array would be if its pipeline were fixed.
// It is what configurable_pe is compared with, in cells and in cycles.
module fixed_pe #(
    parameter int unsigned OPERAND_WIDTH = 8,
    parameter int unsigned SUM_WIDTH = 32,
    parameter bit DOUBLE_BUFFERED = 1'b0
) (
    input  logic                     clk,

    input  logic                     weight_load,
    input  logic                     weight_swap,
    input  logic [OPERAND_WIDTH-1:0] weight_in,
    output logic [OPERAND_WIDTH-1:0] weight_out,

    input  logic [OPERAND_WIDTH-1:0] activation_in,
    output logic [OPERAND_WIDTH-1:0] activation_out,

    input  logic [SUM_WIDTH-1:0]     sum_in,
    output logic [SUM_WIDTH-1:0]     sum_out
);
    logic [OPERAND_WIDTH-1:0] weight;
    logic [SUM_WIDTH-1:0] product;

    weight_register #(.WIDTH(OPERAND_WIDTH), .DOUBLE_BUFFERED(DOUBLE_BUFFERED)) weights (
        .clk, .weight_load, .weight_swap, .weight_in, .weight_out, .weight
    );

    signed_multiplier #(.OPERAND_WIDTH(OPERAND_WIDTH), .SUM_WIDTH(SUM_WIDTH)) multiplier (
        .a(activation_in), .b(weight), .product
    );

    always_ff @(posedge clk) begin
        activation_out <= activation_in;
        sum_out <= sum_in + product;
    end
endmodule
