using System.Globalization;
using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Primitives.Arithmetic;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Ir.Mapped;

/// <summary>The result of evaluating a mapped program.</summary>
/// <param name="Outputs">The outputs in graph order, with the types of the ports.</param>
/// <param name="Values">On request, each <see cref="MappedValue"/> by its tensor's name, in its tensor's shape: i8 from a packed buffer, i32 from one with an element a word.</param>
public sealed record MappedEvaluation(EquatableArray<Tensor> Outputs, IReadOnlyDictionary<string, Tensor> Values);

/// <summary>
/// Executes a mapped program over its buffers, exactly as <see cref="MappedProgram"/> says, and refuses what a compiler must never emit: accesses outside a
/// buffer, reads of elements never written, values that do not fit, elements written twice by one nest.
/// </summary>
public static class MappedEvaluator
{
    /// <summary>Evaluates a program; null with a diagnostic where it, or an input, is not right.</summary>
    /// <param name="program">The program.</param>
    /// <param name="inputs">One tensor for each input in graph order, with the port's element type and number of elements.</param>
    /// <param name="diagnostics">Receives the first error.</param>
    /// <param name="keepValues">True to return every <see cref="MappedValue"/>, read right after the step that completes it.</param>
    public static MappedEvaluation? Run(MappedProgram program, IReadOnlyList<Tensor> inputs, DiagnosticBag diagnostics, bool keepValues = false)
    {
        try
        {
            return Run(program, inputs, keepValues);
        }
        catch (DiagnosticException e)
        {
            diagnostics.Report(e.Diagnostic);
            return null;
        }
    }

    private static MappedEvaluation Run(MappedProgram program, IReadOnlyList<Tensor> inputs, bool keepValues)
    {
        if (inputs.Count != program.Inputs.Count)
        {
            throw new DiagnosticException(MappedDiagnostics.WrongInput("list", Text($"{program.Inputs.Count} tensors"), Text($"{inputs.Count}")));
        }

        var memory = new MappedMemory(program);
        var values = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        for (var i = 0; i < inputs.Count; i++)
        {
            WriteInput(memory, program.Inputs[i], inputs[i]);
        }

        Collect(-1);
        for (var step = 0; step < program.Steps.Count; step++)
        {
            var index = step;
            _ = program.Steps[step].Match(
                nest: nest =>
                {
                    NestExecution.Run(nest, index, memory);
                    return true;
                },
                softmax: softmax =>
                {
                    Softmax(memory, softmax, index);
                    return true;
                });
            Collect(step);
        }

        var outputs = program.Outputs.Select(port => Port(memory, port)).ToEquatableArray();
        return new(outputs, values);

        void Collect(int step)
        {
            if (!keepValues)
            {
                return;
            }

            foreach (var value in program.Values)
            {
                if (value.CompletedBy == step)
                {
                    values[value.Tensor] = Value(memory, value);
                }
            }
        }
    }

    private static void WriteInput(MappedMemory memory, MappedPort port, Tensor tensor)
    {
        var where = $"input {port.Name}";
        if (tensor.Element != port.Type.Element || tensor.Shape.Elements != port.Type.Shape.Elements)
        {
            throw new DiagnosticException(MappedDiagnostics.WrongInput(port.Name, port.Type.ToString(), tensor.ToString()));
        }

        if (tensor.Element is not (ElementType.Int8 or ElementType.Int32))
        {
            throw new DiagnosticException(MappedDiagnostics.Malformed(where, "inputs are i8 or i32"));
        }

        var values = new int[tensor.Shape.Elements];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = (int)tensor.GetInteger(i);
        }

        memory.Write(where, port.Buffer, values, MappedStore.InputStamp);
    }

    private static Tensor Value(MappedMemory memory, MappedValue value)
    {
        var where = $"value {value.Tensor}";
        var packed = memory.Buffer(where, value.Buffer).Layout.Lanes == 4;
        return MakeTensor(where, packed ? ElementType.Int8 : ElementType.Int32, new(value.Shape), memory.Read(where, value.Buffer));
    }

    private static Tensor Port(MappedMemory memory, MappedPort port)
    {
        var where = $"output {port.Name}";
        return MakeTensor(where, port.Type.Element, port.Type.Shape, memory.Read(where, port.Buffer));
    }

    private static Tensor MakeTensor(string where, ElementType element, Shape shape, int[] values)
    {
        long count = 1;
        foreach (var extent in shape.Dimensions.AsSpan())
        {
            count = extent < 0 || count > values.Length ? long.MaxValue : count * extent;
        }

        if (count != values.Length)
        {
            throw new DiagnosticException(MappedDiagnostics.Malformed(where, Text($"shape {shape} for {values.Length} elements")));
        }

        return element switch
        {
            ElementType.Int8 => Tensor.From<sbyte>(element, shape, Array.ConvertAll(values, value => value == (sbyte)value
                ? (sbyte)value
                : throw new DiagnosticException(MappedDiagnostics.Malformed(where, Text($"{value} does not fit i8"))))),
            ElementType.Int32 => Tensor.From<int>(element, shape, values),
            _ => throw new DiagnosticException(MappedDiagnostics.Malformed(where, "values are i8 or i32")),
        };
    }

    private static void Softmax(MappedMemory memory, MappedSoftmax step, int index)
    {
        var where = $"step {step.Name}";
        var source = memory.Read(where, step.Source);
        if (step.Rows < 1 || step.Columns < 1 || (long)step.Rows * step.Columns != source.Length)
        {
            throw new DiagnosticException(MappedDiagnostics.Malformed(where, Text($"{step.Rows} rows of {step.Columns} for {source.Length} elements")));
        }

        // 31 - diffBits is the largest shift whose factor Int8Softmax.Prepare can give
        if (step.LeftShift is < 0 or > 31)
        {
            throw new DiagnosticException(MappedDiagnostics.Malformed(where, Text($"left shift {step.LeftShift}")));
        }

        var row = new sbyte[step.Columns];
        var result = new sbyte[step.Columns];
        var values = new int[source.Length];
        for (var r = 0; r < step.Rows; r++)
        {
            for (var c = 0; c < step.Columns; c++)
            {
                var value = source[(r * step.Columns) + c];
                row[c] = value == (sbyte)value ? (sbyte)value : throw new DiagnosticException(MappedDiagnostics.DoesNotFit(where, step.Source, (r * step.Columns) + c, value, 8));
            }

            if (!Int8Softmax.Row(row, result, step.Multiplier, step.LeftShift, step.DiffMin))
            {
                throw new DiagnosticException(MappedDiagnostics.Arithmetic(where, Text($"the exponentials of row {r} sum to 512 or more, which the reference kernel does not define")));
            }

            for (var c = 0; c < step.Columns; c++)
            {
                values[(r * step.Columns) + c] = result[c];
            }
        }

        memory.Write(where, step.Destination, values, MappedStore.StampOf(index));
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
