# Synthesises one processing element with and without the configurability, and small arrays, for several technologies.
#
#   yosys -c cells.tcl
#
# writes statistics (stat -json) into the working directory, one file for each element, called
# element-OPERANDxSUM-VARIANT-MULTIPLIER-TECHNOLOGY.json, and for whole arrays array-ROWSxCOLUMNS-OPERANDxSUM-VARIANT.json.
#
# VARIANT: configurable (configurable_pe) or fixed (fixed_pe).
# MULTIPLIER: fused, where the element is flattened, so that the multiplier's last addition and the accumulation may become
# one; apart, where the product is a number before it is added, as in a library's hard multiplier.
# TECHNOLOGY: generic (Yosys's own gates after synth), cmos (abc -g cmos: NOT, NAND, NOR, XOR, XNOR, AOI, OAI, MUX), ice40
# (4-input tables with carry chains), xilinx (series 7: 6-input tables with carry chains, no DSP).
#
# An array keeps its elements apart from each other and from its edges (configuration bits, line of valid bits); cmos.

yosys -import

set sources [lsort [glob [file join [file dirname [file normalize [info script]]] .. *.sv]]]

proc read_sources {} {
    global sources
    design -reset
    read_verilog -sv {*}$sources
}

proc element {operand sum variant multiplier technology} {
    set top [expr {$variant eq "configurable" ? "configurable_pe" : "fixed_pe"}]
    read_sources
    chparam -set OPERAND_WIDTH $operand -set SUM_WIDTH $sum $top
    hierarchy -check -top $top
    yosys proc
    if {$multiplier eq "apart"} {
        # The product gets a boundary that optimisation does not look through.
        setattr -mod -set keep_hierarchy 1 *signed_multiplier*
    }
    yosys flatten
    switch $technology {
        generic { synth -run begin:check }
        cmos { synth -run begin:check; abc -g cmos; opt_clean }
        ice40 { synth_ice40 }
        xilinx { synth_xilinx -family xc7 -nodsp -noiopad }
    }
    tee -q -o element-${operand}x${sum}-$variant-$multiplier-$technology.json stat -json
}

proc array_of {side operand sum variant} {
    read_sources
    chparam -set ROWS $side -set COLUMNS $side -set OPERAND_WIDTH $operand -set SUM_WIDTH $sum systolic_array
    chparam -set CONFIGURABLE [expr {$variant eq "configurable"}] systolic_array
    hierarchy -check -top systolic_array
    yosys proc
    setattr -mod -set keep_hierarchy 1 *_pe
    yosys flatten
    synth -run begin:check
    abc -g cmos
    opt_clean
    tee -q -o array-${side}x${side}-${operand}x${sum}-$variant.json stat -json
}

foreach {operand sum} {8 32 32 64} {
    foreach variant {fixed configurable} {
        foreach {multiplier technology} {fused generic fused cmos apart cmos fused ice40 fused xilinx} {
            element $operand $sum $variant $multiplier $technology
        }
    }
}

foreach variant {fixed configurable} { array_of 8 8 32 $variant }
