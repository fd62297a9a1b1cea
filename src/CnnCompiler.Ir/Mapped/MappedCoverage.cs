using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Ir.Mapped;

/// <summary>
/// Follows a well-formed program step by step by what it reads and writes alone. A nest without operands is a fill: it may write what is written for good
/// later, and one that stays inside the tensor counts as its write where nothing else writes; a fill of halo or padding never does.
/// </summary>
internal sealed class MappedCoverage
{
    private const long MaxEnumerated = 1L << 30;

    private readonly MappedProgram _program;
    private readonly DiagnosticBag _diagnostics;
    private readonly Dictionary<string, State> _buffers = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long> _constants = new(StringComparer.Ordinal);

    public MappedCoverage(MappedProgram program, DiagnosticBag diagnostics)
    {
        (_program, _diagnostics) = (program, diagnostics);
        foreach (var buffer in program.Buffers)
        {
            _buffers[buffer.Name] = new(buffer, program.Values.Where(value => value.Buffer == buffer.Name).Select(value => value.CompletedBy).DefaultIfEmpty(-2).Max());
        }

        foreach (var constant in program.Constants)
        {
            _constants[constant.Name] = constant.Value.Shape.Elements;
        }
    }

    public void Check()
    {
        foreach (var input in _program.Inputs)
        {
            var state = _buffers[input.Buffer];
            foreach (var element in state.Logical)
            {
                state.Write(element);
            }
        }

        CheckValues(-1, "the inputs");
        for (var s = 0; s < _program.Steps.Count; s++)
        {
            var step = s;
            _ = _program.Steps[s].Match(
                nest =>
                {
                    Nest(nest, step);
                    return true;
                },
                softmax =>
                {
                    Softmax(softmax);
                    return true;
                });
            CheckValues(s, $"step {_program.Steps[s].Name}");
        }

        foreach (var output in _program.Outputs)
        {
            Read($"output {output.Name}", _buffers[output.Buffer], _buffers[output.Buffer].Logical);
        }
    }

    private void Softmax(MappedSoftmax softmax)
    {
        Read($"step {softmax.Name}", _buffers[softmax.Source], _buffers[softmax.Source].Logical);
        var destination = _buffers[softmax.Destination];
        foreach (var element in destination.Logical)
        {
            destination.Write(element);
        }
    }

    private void Read(string where, State state, int[] elements)
    {
        foreach (var element in elements)
        {
            if (!state.IsWritten(element))
            {
                _diagnostics.Report(MappedDiagnostics.Uninitialised(where, state.Buffer.Name, element));
                return;
            }
        }
    }

    private void Nest(MappedNest nest, int step)
    {
        var where = $"step {nest.Name}";
        var target = _buffers[nest.Output.Target];
        var writable = InBounds(nest, nest.Output, target.Elements, where, out var points);
        if (writable && points > target.Elements)
        {
            // more iterations than elements: some element is written twice, and enumerating them all could take for ever
            _diagnostics.Report(MappedDiagnostics.TooLarge(where, "its writes", target.Elements));
            writable = false;
        }

        for (var o = 0; o < nest.Operands.Count; o++)
        {
            Operand(nest, o, writable ? target : null, where);
        }

        if (writable)
        {
            Writes(nest, step, target, where);
        }
    }

    private void Operand(MappedNest nest, int index, State? target, string where)
    {
        var access = nest.Operands[index];
        var state = _buffers.GetValueOrDefault(access.Target);
        if (!InBounds(nest, access, state?.Elements ?? _constants[access.Target], where, out _) || state is null)
        {
            return;
        }

        var space = new AccessSpace(nest, access.Element, false);
        do
        {
            if (space.Admitted && !state.IsWritten((int)space.Element))
            {
                _diagnostics.Report(MappedDiagnostics.Uninitialised(where, access.Target, space.Element));
                return;
            }
        }
        while (space.Next());

        if (ReferenceEquals(state, target) && !SameElement(nest, access.Element, nest.Output.Element))
        {
            OwnOutput(nest, index, where);
        }
    }

    // The first out of bounds is shown as the whole range that the admitted iterations access.
    private bool InBounds(MappedNest nest, MappedAccess access, long elements, string where, out long points)
    {
        var space = new AccessSpace(nest, access.Element, ReferenceEquals(access, nest.Output));
        points = 0;
        if (space.HasGuards && space.Points > MaxEnumerated)
        {
            _diagnostics.Report(MappedDiagnostics.TooLarge(where, "its iterations", MaxEnumerated));
            return false;
        }

        // Without guards the corners of the loops are the extremes.
        var (low, high) = space.HasGuards ? (long.MaxValue, long.MinValue) : (space.Low, space.High);
        points = space.HasGuards ? 0 : space.Points;
        while (space.HasGuards)
        {
            if (space.Admitted)
            {
                points++;
                low = Math.Min(low, space.Element);
                high = Math.Max(high, space.Element);
            }

            if (!space.Next())
            {
                break;
            }
        }

        if (points > 0 && (low < 0 || high >= elements))
        {
            _diagnostics.Report(MappedDiagnostics.RangeOutside(where, access.Target, low, high, elements));
            return false;
        }

        // Loops may cancel each other, so that a small range takes long to enumerate. The output's iterations are compared with its elements instead.
        if (space.Points > MaxEnumerated && !ReferenceEquals(access, nest.Output))
        {
            _diagnostics.Report(MappedDiagnostics.TooLarge(where, "its iterations", MaxEnumerated));
            return false;
        }

        return true;
    }

    private static bool SameElement(MappedNest nest, Gconv.AffineExpression first, Gconv.AffineExpression second) =>
        first.Constant == second.Constant
        && Enumerable.Range(0, nest.Loops.Count).All(l => nest.Loops[l].Extent == 1 || first.Coefficients[l] == second.Coefficients[l]);

    private void OwnOutput(MappedNest nest, int operand, string where)
    {
        var written = new HashSet<long>();
        var space = new AccessSpace(nest, nest.Output.Element, true);
        do
        {
            if (space.Admitted)
            {
                written.Add(space.Element);
            }
        }
        while (space.Next());

        var reads = new AccessSpace(nest, nest.Operands[operand].Element, false);
        do
        {
            if (reads.Admitted && written.Contains(reads.Element))
            {
                _diagnostics.Report(MappedDiagnostics.ReadsOutputElsewhere(where, operand, nest.Output.Target));
                return;
            }
        }
        while (reads.Next());
    }

    private void Writes(MappedNest nest, int step, State target, string where)
    {
        var isFill = nest.Operands.Count == 0;
        var stamp = step + 1;
        var outside = false;
        var space = new AccessSpace(nest, nest.Output.Element, true);
        do
        {
            if (!space.Admitted)
            {
                continue;
            }

            var element = (int)space.Element;
            if (target.LastWriter[element] == stamp)
            {
                _diagnostics.Report(MappedDiagnostics.WrittenTwice(where, nest.Output.Target, element));
                return;
            }

            target.LastWriter[element] = stamp;
            outside |= !target.IsLogical[element];
            if (!isFill)
            {
                target.Write(element);
            }
            else if (target.Times[element] > 0 && step <= target.LastCompleted)
            {
                _diagnostics.Report(MappedDiagnostics.FillOverValue(where, nest.Output.Target, element));
                return;
            }
        }
        while (space.Next());

        if (isFill)
        {
            target.Fill(stamp, counts: !outside);
        }
    }

    private void CheckValues(int step, string stepName)
    {
        foreach (var group in _program.Values.Where(value => value.CompletedBy == step).GroupBy(value => value.Buffer, StringComparer.Ordinal))
        {
            var state = _buffers[group.Key];
            foreach (var element in state.Logical)
            {
                var times = state.Times[element] == 0 && state.Filled[element] ? 1 : state.Times[element];
                if (times != 1)
                {
                    _diagnostics.Report(MappedDiagnostics.Coverage(group.First().Tensor, group.Key, element, times, stepName));
                    break;
                }
            }

            state.Restart();
        }
    }

    /// <summary>What is known of a buffer. Counts are of the writes since its last value was complete.</summary>
    private sealed class State
    {
        private readonly bool[] _written;

        public State(MappedBuffer buffer, int lastCompleted)
        {
            (Buffer, LastCompleted) = (buffer, lastCompleted);
            Elements = buffer.Words * buffer.Layout.Lanes;
            Logical = LayoutElements.Of(buffer.Layout);
            (_written, IsLogical, Filled) = (new bool[Elements], new bool[Elements], new bool[Elements]);
            (Times, LastWriter) = (new int[Elements], new int[Elements]);
            foreach (var element in Logical)
            {
                IsLogical[element] = true;
            }
        }

        public MappedBuffer Buffer { get; }

        // Index of the last step that completes a value of this buffer.
        public int LastCompleted { get; }

        public int Elements { get; }

        public int[] Logical { get; }

        public bool[] IsLogical { get; }

        public bool[] Filled { get; }

        public int[] Times { get; }

        public int[] LastWriter { get; }

        public bool IsWritten(int element) => _written[element];

        public void Write(int element)
        {
            _written[element] = true;
            Times[element]++;
        }

        public void Fill(int stamp, bool counts)
        {
            for (var e = 0; e < Elements; e++)
            {
                if (LastWriter[e] == stamp)
                {
                    _written[e] = true;
                    Filled[e] |= counts;
                }
            }
        }

        public void Restart()
        {
            Array.Clear(Times);
            Array.Clear(Filled);
        }
    }
}
