// Product of two signed operands, sign-extended to the width of the sums. A module of its own, so that a synthesis run
// can keep it apart from the adder after it (synthesis/cells.tcl measures both ways).
module signed_multiplier #(
    parameter int unsigned OPERAND_WIDTH = 8,
    parameter int unsigned SUM_WIDTH = 32
) (
    input  logic signed [OPERAND_WIDTH-1:0] a,
    input  logic signed [OPERAND_WIDTH-1:0] b,
    output logic signed [SUM_WIDTH-1:0]     product
);
    logic signed [2*OPERAND_WIDTH-1:0] full;

    assign full = a * b;
    assign product = SUM_WIDTH'(full);
endmodule
