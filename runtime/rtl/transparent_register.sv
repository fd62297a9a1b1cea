// A pipeline register that can be made transparent: with bypass = 1 the value passes through and the register keeps still.
//
// The enable stands for a clock gate: a synthesis flow with integrated clock-gating cells turns it into one, shared by
// the whole word, and a bypassed register then costs no clock energy.
module transparent_register #(
    parameter int unsigned WIDTH = 8
) (
    input  logic             clk,
    input  logic             bypass,
    input  logic [WIDTH-1:0] d,
    output logic [WIDTH-1:0] q
);
    logic [WIDTH-1:0] stored;

    always_ff @(posedge clk) begin
        if (!bypass) stored <= d;
    end

    assign q = bypass ? d : stored;
endmodule
