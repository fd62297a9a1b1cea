// 3:2 compressor, modulo 2^WIDTH: a + b + c = sum + carry. One full adder of delay, whatever the width.
module carry_save_adder #(
    parameter int unsigned WIDTH = 32
) (
    input  logic [WIDTH-1:0] a,
    input  logic [WIDTH-1:0] b,
    input  logic [WIDTH-1:0] c,
    output logic [WIDTH-1:0] sum,
    output logic [WIDTH-1:0] carry
);
    assign sum = a ^ b ^ c;

    // The majority has the weight of the next bit; what would leave at the top is lost, as in any addition modulo 2^WIDTH.
    assign carry[0] = 1'b0;
    for (genvar i = 1; i < WIDTH; i++) begin : majority
        assign carry[i] = (a[i-1] & b[i-1]) | (c[i-1] & (a[i-1] | b[i-1]));
    end
endmodule
