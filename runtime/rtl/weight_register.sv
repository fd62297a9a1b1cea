// The weight of a processing element, and its link of the chain through which weights come down the column.
//
// With DOUBLE_BUFFERED = 0 the link is the weight in use. With DOUBLE_BUFFERED = 1 the next tile's weights come down while
// this one's are in use; weight_swap, in the last cycle of a load or later, makes them the ones in use from the next cycle.
module weight_register #(
    parameter int unsigned WIDTH = 8,
    parameter bit DOUBLE_BUFFERED = 1'b0
) (
    input  logic             clk,
    input  logic             weight_load,
    input  logic             weight_swap,
    input  logic [WIDTH-1:0] weight_in,
    output logic [WIDTH-1:0] weight_out,
    output logic [WIDTH-1:0] weight
);
    logic [WIDTH-1:0] link;

    always_ff @(posedge clk) begin
        if (weight_load) link <= weight_in;
    end

    assign weight_out = link;

    if (DOUBLE_BUFFERED) begin : two
        logic [WIDTH-1:0] in_use;

        always_ff @(posedge clk) begin
            if (weight_swap) in_use <= weight_load ? weight_in : link;
        end

        assign weight = in_use;
    end else begin : one
        logic unused;

        assign unused = weight_swap;
        assign weight = link;
    end
endmodule
