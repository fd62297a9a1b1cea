// ROWS x COLUMNS weight-stationary array. The protocol of its edges, for one tile:
//
// * weight_load for as many cycles as rows are used; weight_in brings the last of them first, each cycle moves all one row
//   down. (Rows below those keep what they had: their activations have to be 0. Or all ROWS rows are loaded.)
// * configure in the last cycle of the load or later, in the cycle before the first activation, and after the tile before
//   has ended or in its last cycle. With DOUBLE_BUFFERED = 1 weight_swap goes with it.
// * Activation vector t = 0, 1, ... enters t + g cycles after the cycle that follows configure, at row r, where g is the
//   vertical group of r: the number of rows above r whose bypass bit is 0. valid_in comes with the last row's activations.
// * The sum of column c and vector t leaves, with valid_out[c] = 1, at the end of cycle
//   t + (groups of rows - 1) + (horizontal group of c), counted in the same way.
//
// A bypass bit is 1 where the register after that row or column is transparent. A group is a run of rows (columns) that
// ends in the first one whose bit is 0; the last row always ends one, so its bit has to be 0. Groups of k rows with a
// shorter last one where k does not divide ROWS are therefore just a pattern of bits.
//
// With CONFIGURABLE = 0 every register is opaque and the bypass bits are not looked at.
module systolic_array #(
    parameter int unsigned ROWS = 4,
    parameter int unsigned COLUMNS = 4,
    parameter int unsigned OPERAND_WIDTH = 8,
    parameter int unsigned SUM_WIDTH = 32,
    parameter bit CONFIGURABLE = 1'b1,
    parameter bit DOUBLE_BUFFERED = 1'b0
) (
    input  logic                             clk,
    input  logic                             reset,

    input  logic                             configure,
    input  logic [COLUMNS-1:0]               horizontal_bypass,
    input  logic [ROWS-1:0]                  vertical_bypass,

    input  logic                             weight_load,
    input  logic                             weight_swap,
    input  logic [COLUMNS*OPERAND_WIDTH-1:0] weight_in,

    input  logic                             valid_in,
    input  logic [ROWS*OPERAND_WIDTH-1:0]    activation_in,

    output logic [COLUMNS-1:0]               valid_out,
    output logic [COLUMNS*SUM_WIDTH-1:0]     sum_out
);
    logic [COLUMNS-1:0] column_bypass;
    logic [ROWS-1:0] row_bypass;

    if (CONFIGURABLE) begin : configuration
        // One bit a row and one a column: all elements of a row end their vertical group together, all of a column
        // their horizontal one.
        always_ff @(posedge clk) begin
            if (reset) begin
                column_bypass <= '0;
                row_bypass <= '0;
            end else if (configure) begin
                column_bypass <= horizontal_bypass;
                row_bypass <= vertical_bypass;
            end
        end
    end else begin : no_configuration
        logic unused;

        assign column_bypass = '0;
        assign row_bypass = '0;
        assign unused = &{1'b0, horizontal_bypass, vertical_bypass, row_bypass};
    end

    for (genvar r = 0; r < ROWS; r++) begin : row
        for (genvar c = 0; c < COLUMNS; c++) begin : column
            logic [OPERAND_WIDTH-1:0] weight_above;
            logic [OPERAND_WIDTH-1:0] weight;
            logic [OPERAND_WIDTH-1:0] activation_left;
            logic [OPERAND_WIDTH-1:0] activation;
            logic [SUM_WIDTH-1:0] sum_above;
            logic [SUM_WIDTH-1:0] sum;

            if (c == 0) begin : left_edge
                assign activation_left = activation_in[r*OPERAND_WIDTH +: OPERAND_WIDTH];
            end else begin : inside_row
                assign activation_left = row[r].column[c-1].activation;
            end

            if (r == 0) begin : top_edge
                assign weight_above = weight_in[c*OPERAND_WIDTH +: OPERAND_WIDTH];
                assign sum_above = '0;
            end else begin : inside_column
                assign weight_above = row[r-1].column[c].weight;
                assign sum_above = row[r-1].column[c].sum;
            end

            if (CONFIGURABLE) begin : element
                logic [SUM_WIDTH-1:0] carry_above;
                logic [SUM_WIDTH-1:0] carry;

                if (r == 0) begin : no_carry
                    assign carry_above = '0;
                end else begin : carry_from_above
                    assign carry_above = row[r-1].column[c].element.carry;
                end

                configurable_pe #(.OPERAND_WIDTH(OPERAND_WIDTH), .SUM_WIDTH(SUM_WIDTH), .DOUBLE_BUFFERED(DOUBLE_BUFFERED)) pe (
                    .clk,
                    .horizontal_bypass(column_bypass[c]), .vertical_bypass(row_bypass[r]),
                    .weight_load, .weight_swap, .weight_in(weight_above), .weight_out(weight),
                    .activation_in(activation_left), .activation_out(activation),
                    .sum_in(sum_above), .carry_in(carry_above), .sum_out(sum), .carry_out(carry)
                );

                if (r == ROWS - 1) begin : carry_ends
                    logic unused;
                    assign unused = &{1'b0, carry};
                end
            end else begin : fixed
                fixed_pe #(.OPERAND_WIDTH(OPERAND_WIDTH), .SUM_WIDTH(SUM_WIDTH), .DOUBLE_BUFFERED(DOUBLE_BUFFERED)) pe (
                    .clk,
                    .weight_load, .weight_swap, .weight_in(weight_above), .weight_out(weight),
                    .activation_in(activation_left), .activation_out(activation),
                    .sum_in(sum_above), .sum_out(sum)
                );
            end

            if (r == ROWS - 1) begin : bottom_edge
                logic unused;
                assign sum_out[c*SUM_WIDTH +: SUM_WIDTH] = sum;
                assign unused = &{1'b0, weight};
            end

            if (c == COLUMNS - 1) begin : right_edge
                logic unused;
                assign unused = &{1'b0, activation};
            end
        end
    end

    // The line of valid bits goes along the bottom row, through the same registers as its activations. What a tile still
    // has in it when the next one begins (columns that it did not use) goes no further.
    logic begins;

    always_ff @(posedge clk) begins <= configure;

    for (genvar c = 0; c < COLUMNS; c++) begin : valid
        logic entering;
        logic held;
        logic leaving;

        if (c == 0) begin : left_edge
            assign entering = valid_in;
        end else begin : inside_row
            assign entering = valid[c-1].leaving;
        end

        always_ff @(posedge clk) held <= entering & ~reset;

        assign leaving = column_bypass[c] ? entering : held & ~begins;
        assign valid_out[c] = held;

        if (c == COLUMNS - 1) begin : right_edge
            logic unused;
            assign unused = leaving;
        end
    end
endmodule
