using CnnCompiler.Image.Systolic;

namespace CnnCompiler.Interpreter.Systolic;

/// <summary>What is done with a reduced value: post, on further operands, into the output.</summary>
internal sealed class OutputUnit
{
    private readonly AffineAccess[] _extras;
    private readonly AffineAccess[] _outputs;
    private readonly ScalarMachine _post;
    private readonly long[] _values;
    private readonly bool[] _tables;
    private readonly bool _realAccumulator;
    private readonly bool _realResult;
    private readonly (long Low, long High) _accumulator;
    private readonly (long Low, long High) _result;

    /// <summary>A unit between memory and memory.</summary>
    public OutputUnit(SystolicOperator operation, byte[] memory)
        : this(
            operation,
            [.. operation.Extras.Select(access => new AffineAccess(access, operation.Loops.Count, memory))],
            [new AffineAccess(operation.Output, operation.Loops.Count, memory)])
    {
    }

    /// <summary>A unit whose operands lie in several memories.</summary>
    /// <param name="operation">The operator.</param>
    /// <param name="extras">Further operands.</param>
    /// <param name="outputs">Where each result goes: one place or more, all of one shape.</param>
    public OutputUnit(SystolicOperator operation, AffineAccess[] extras, AffineAccess[] outputs)
    {
        (_extras, _outputs) = (extras, outputs);
        _post = new(operation.Post);
        _values = new long[_extras.Length];
        _tables = new bool[_extras.Length];
        foreach (var instruction in operation.Pre.Concat(operation.Main).Concat(operation.Post).Where(instruction => instruction.Opcode == ScalarOpcode.Lookup))
        {
            _tables[(int)instruction.Value] = true;
        }

        (_realAccumulator, _realResult) = (operation.Accumulator.IsReal(), operation.Output.Element.IsReal());
        _accumulator = _realAccumulator ? default : operation.Accumulator.Range();
        _result = _realResult ? default : operation.Output.Element.Range();
    }

    /// <summary>Further operands at the loops moved to.</summary>
    public ReadOnlySpan<long> Extras => _values;

    /// <summary>Further operands as tables.</summary>
    public ReadOnlySpan<AffineAccess> Tables => _extras;

    /// <summary>Takes the values of the parallel loops.</summary>
    public void MoveTo(ReadOnlySpan<int> loops)
    {
        for (var i = 0; i < _extras.Length; i++)
        {
            _values[i] = _tables[i] ? _extras[i].Flat(loops) : _extras[i].Read(loops, out _);
        }
    }

    /// <summary>Writes the result; why there is none, or null.</summary>
    public string? Write(ReadOnlySpan<int> loops, Int128 accumulator, long taps)
    {
        if (!_realAccumulator && (accumulator < _accumulator.Low || accumulator > _accumulator.High))
        {
            return "the reduced value does not fit its accumulator";
        }

        string? fault = null;
        var value = _post.Run(new(0, 0, (long)accumulator, taps), _values, _extras, ref fault);
        if (!_realResult && (value < _result.Low || value > _result.High))
        {
            fault ??= "the result does not fit its element type";
        }

        if (fault is null)
        {
            foreach (var output in _outputs)
            {
                output.Store(output.Flat(loops), value);
            }
        }

        return fault;
    }
}

/// <summary>Weights of one group, widened: [K, N].</summary>
internal sealed class WeightMatrix
{
    private readonly AffineAccess _kernel;
    private readonly LoopSet _rows;
    private readonly LoopSet _columns;
    private readonly int[] _matrix;

    public WeightMatrix(SystolicOperator operation, byte[] memory)
    {
        _kernel = new(operation.Kernel!, operation.Loops.Count, memory);
        (_rows, _columns) = (new(operation.Loops, SystolicRole.Row), new(operation.Loops, SystolicRole.Column));
        _matrix = new int[checked(_rows.Trips * _columns.Trips)];
    }

    /// <summary>Reads the weights of the group that the loops say; row and column loops are 0 before and after.</summary>
    public int[] Load(Span<int> loops)
    {
        var at = 0;
        do
        {
            do
            {
                _matrix[at++] = (int)_kernel.Load(_kernel.Flat(loops));
            }
            while (_columns.Next(loops));
        }
        while (_rows.Next(loops));
        return _matrix;
    }
}
