using CnnCompiler.Image.Systolic;

namespace CnnCompiler.Interpreter.Systolic;

/// <summary>The vector unit's sums: the taps of an output element, one after the other. Along the loop that runs fastest operands are evenly spaced.</summary>
internal sealed class VectorUnit
{
    private readonly SystolicReduction _reduction;
    private readonly AffineAccess _input;
    private readonly AffineAccess? _kernel;
    private readonly ScalarMachine _pre;
    private readonly ScalarMachine _main;
    private readonly LoopSet _reduced;
    private readonly bool _isReal;
    private readonly long _low;

    /// <summary>What is taken from every input before it is multiplied with its weight; null where taps are anything but such products.</summary>
    private readonly long? _offset;

    /// <summary>True where taps are products of real inputs and weights.</summary>
    private readonly bool _areRealProducts;

    public VectorUnit(SystolicOperator operation, byte[] memory)
    {
        var loops = operation.Loops.Count;
        _reduction = operation.Reduce;
        _input = new AffineAccess(operation.Input, loops, memory);
        _kernel = operation.Kernel is { } access ? new AffineAccess(access, loops, memory) : null;
        (_pre, _main) = (new ScalarMachine(operation.Pre), new ScalarMachine(operation.Main));
        _reduced = new LoopSet(operation.Loops, SystolicRole.Row);
        _isReal = operation.Accumulator.IsReal();
        _low = _isReal ? 0 : operation.Accumulator.Range().Min;
        _offset = _reduction == SystolicReduction.Add && !_isReal && operation.Kernel is { } weights && IsShort(operation.Input) && IsShort(weights)
            && operation.Main is [{ Opcode: ScalarOpcode.Input }, { Opcode: ScalarOpcode.Kernel }, { Opcode: ScalarOpcode.Multiply }]
                ? Subtrahend(operation.Pre)
                : null;
        _areRealProducts = _reduction == SystolicReduction.Add && _isReal && operation.Kernel is not null && operation.Pre is [{ Opcode: ScalarOpcode.Input }]
            && operation.Main is [{ Opcode: ScalarOpcode.Input }, { Opcode: ScalarOpcode.Kernel }, { Opcode: ScalarOpcode.MultiplyReal }];
    }

    /// <summary>True where values are so short that no sum of as many products as a loop has trips leaves 64 bits.</summary>
    private static bool IsShort(SystolicAccess access) =>
        access.Element is SystolicElement.Int8 or SystolicElement.UInt8 or SystolicElement.Int16 && access.FillValue is >= short.MinValue and <= short.MaxValue;

    private static long? Subtrahend(IReadOnlyList<ScalarInstruction> program) => program switch
    {
        [{ Opcode: ScalarOpcode.Input }] => 0,
        [{ Opcode: ScalarOpcode.Input }, { Opcode: ScalarOpcode.Literal, Value: >= short.MinValue and <= short.MaxValue } literal, { Opcode: ScalarOpcode.Subtract }] => literal.Value,
        [{ Opcode: ScalarOpcode.Input }, { Opcode: ScalarOpcode.Literal, Value: >= short.MinValue and <= short.MaxValue } literal, { Opcode: ScalarOpcode.Add }] => -literal.Value,
        _ => null,
    };

    /// <summary>The reduced value, or the bits of a real one.</summary>
    /// <param name="loops">Values of the loops; the reduced ones are 0, and 0 again afterwards.</param>
    /// <param name="output">Further operands.</param>
    /// <param name="taps">Taps that were not skipped.</param>
    /// <param name="fault">Why there is no value; null where there is one.</param>
    public Int128 Sum(int[] loops, OutputUnit output, out long taps, out string? fault)
    {
        var state = new State(_reduction == SystolicReduction.Maximum ? _low : 0, _reduction == SystolicReduction.Maximum ? double.NegativeInfinity : 0);
        var (fastest, extent) = _reduced.Fastest;
        var isEven = !_input.Divides && _kernel is not { Divides: true };
        do
        {
            if (isEven)
            {
                Along(loops, fastest, extent, output, ref state);
            }
            else
            {
                for (var tap = 0; tap < extent; tap++)
                {
                    if (fastest >= 0)
                    {
                        loops[fastest] = tap;
                    }

                    var element = _input.Read(loops, out var skipped);
                    if (!skipped)
                    {
                        Add(element, _kernel?.Read(loops, out _) ?? 0, output, ref state);
                    }
                }

                if (fastest >= 0)
                {
                    loops[fastest] = 0;
                }
            }
        }
        while (_reduced.NextOfOthers(loops));
        (taps, fault) = (state.Taps, state.Fault);
        return _isReal ? BitConverter.DoubleToInt64Bits(state.SumOfReals) : state.Sum;
    }

    private void Along(int[] loops, int fastest, int extent, OutputUnit output, ref State state)
    {
        var input = _input.Along(loops, fastest, extent);
        var kernel = _kernel?.Along(loops, fastest, extent) ?? default;
        var skips = _input.Access.Outside == SystolicOutside.Skip;
        var (first, end) = skips ? (input.First, input.End) : (0, extent);
        if (_offset is { } offset)
        {
            var products = 0L;
            for (var tap = first; tap < end; tap++)
            {
                products += (Element(tap) - offset) * Weight(tap);
            }

            state.Taps += Math.Max(0, end - first);
            state.Sum += products;
            return;
        }

        if (_areRealProducts)
        {
            for (var tap = first; tap < end; tap++)
            {
                state.SumOfReals += BitConverter.Int64BitsToDouble(Element(tap)) * BitConverter.Int64BitsToDouble(Weight(tap));
            }

            state.Taps += Math.Max(0, end - first);
            return;
        }

        for (var tap = first; tap < end; tap++)
        {
            Add(Element(tap), _kernel is null ? 0 : Weight(tap), output, ref state);
        }

        long Element(int tap) => tap >= input.First && tap < input.End ? _input.Load(input.Flat + (tap * input.Step)) : _input.Fill;

        long Weight(int tap) => tap >= kernel.First && tap < kernel.End ? _kernel!.Load(kernel.Flat + (tap * kernel.Step)) : _kernel!.Fill;
    }

    private void Add(long element, long weight, OutputUnit output, ref State state)
    {
        state.Taps++;
        element = _pre.Single is not null ? element : _pre.Run(new(element, 0, 0, 0), output.Extras, output.Tables, ref state.Fault);
        var term = _main.Single == ScalarOpcode.Input ? element : _main.Run(new(element, weight, 0, 0), output.Extras, output.Tables, ref state.Fault);
        if (_isReal)
        {
            var value = BitConverter.Int64BitsToDouble(term);
            state.SumOfReals = _reduction switch
            {
                SystolicReduction.Add => state.SumOfReals + value,
                SystolicReduction.Maximum => Math.Max(state.SumOfReals, value),
                _ => value,
            };
            return;
        }

        state.Sum = _reduction switch
        {
            SystolicReduction.Add => state.Sum + term,
            SystolicReduction.Maximum => Int128.Max(state.Sum, term),
            _ => term,
        };
    }

    private struct State(Int128 sum, double sumOfReals)
    {
        public Int128 Sum = sum;
        public double SumOfReals = sumOfReals;
        public long Taps;
        public string? Fault;
    }
}
