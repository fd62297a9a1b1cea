using CnnCompiler.Core.Tensors;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Ir.Mapped;

/// <summary>A buffer or constant while a program is evaluated. Elements are kept unpacked; <see cref="Stamps"/> says which were written, and by whom.</summary>
/// <param name="name">Its name.</param>
/// <param name="values">Its elements.</param>
/// <param name="stamps">For each element 0 (never written) or 2 + the index of the step that wrote it last (1: an input); null for a constant.</param>
/// <param name="bits">Width of an element.</param>
internal sealed class MappedStore(string name, int[] values, int[]? stamps, int bits)
{
    public const int InputStamp = 1;

    public string Name { get; } = name;

    public int[] Values { get; } = values;

    public int[]? Stamps { get; } = stamps;

    public int Bits { get; } = bits;

    /// <summary>No element has a larger magnitude.</summary>
    public long Magnitude { get; } = stamps is null ? LargestMagnitude(values) : 1L << (bits - 1);

    public static int StampOf(int step) => step + 2;

    private static long LargestMagnitude(int[] values)
    {
        long largest = 0;
        foreach (var value in values)
        {
            largest = Math.Max(largest, Math.Abs((long)value));
        }

        return largest;
    }
}

/// <summary>All buffers and constants of a program while it is evaluated.</summary>
internal sealed class MappedMemory
{
    private readonly Dictionary<string, MappedStore> _stores = new(StringComparer.Ordinal);
    private readonly Dictionary<string, BufferLayout> _layouts = new(StringComparer.Ordinal);

    /// <summary>Makes the memory of a program, with its buffers never written.</summary>
    /// <exception cref="DiagnosticException">A name is used twice, a layout has no meaning, or it is too large.</exception>
    public MappedMemory(MappedProgram program)
    {
        long total = 0;
        foreach (var buffer in program.Buffers)
        {
            if (LayoutElements.Fault(buffer.Layout) is { } fault)
            {
                throw new DiagnosticException(MappedDiagnostics.Malformed($"buffer {buffer.Name}", fault));
            }

            total += Math.Max(0L, buffer.Words) * buffer.Layout.Lanes;
            if (total > LayoutElements.MaxElements)
            {
                throw new DiagnosticException(MappedDiagnostics.TooLarge($"buffer {buffer.Name}", "all buffers' elements", LayoutElements.MaxElements));
            }

            if (buffer.Words < 1 || buffer.Layout.Elements > (long)buffer.Words * buffer.Layout.Lanes)
            {
                throw new DiagnosticException(MappedDiagnostics.LayoutTooLarge(buffer.Name, buffer.Layout.Elements, buffer.Words, buffer.Layout.Lanes));
            }

            var elements = buffer.Words * buffer.Layout.Lanes;
            Add(new(buffer.Name, new int[elements], new int[elements], 32 / buffer.Layout.Lanes));
            _layouts[buffer.Name] = buffer.Layout;
        }

        foreach (var constant in program.Constants)
        {
            Add(new(constant.Name, Integers(constant), null, 32));
        }
    }

    public MappedStore? Find(string name) => _stores.GetValueOrDefault(name);

    /// <summary>A buffer and its layout.</summary>
    /// <exception cref="DiagnosticException">There is none of this name.</exception>
    public (MappedStore Store, BufferLayout Layout) Buffer(string where, string name) =>
        _layouts.TryGetValue(name, out var layout)
            ? (_stores[name], layout)
            : throw new DiagnosticException(MappedDiagnostics.UnknownName(where, name));

    /// <summary>The logical elements of a buffer in row-major order.</summary>
    /// <exception cref="DiagnosticException">One was never written.</exception>
    public int[] Read(string where, string name)
    {
        var (store, layout) = Buffer(where, name);
        var elements = LayoutElements.Of(layout);
        for (var i = 0; i < elements.Length; i++)
        {
            var element = elements[i];
            if (store.Stamps![element] == 0)
            {
                throw new DiagnosticException(MappedDiagnostics.Uninitialised(where, name, element));
            }

            elements[i] = store.Values[element];
        }

        return elements;
    }

    /// <summary>Writes the logical elements of a buffer from row-major values.</summary>
    /// <exception cref="DiagnosticException">Their number is not the buffer's, or one does not fit.</exception>
    public void Write(string where, string name, ReadOnlySpan<int> values, int stamp)
    {
        var (store, layout) = Buffer(where, name);
        var elements = LayoutElements.Of(layout);
        if (elements.Length != values.Length)
        {
            throw new DiagnosticException(MappedDiagnostics.Malformed(where, string.Create(
                System.Globalization.CultureInfo.InvariantCulture, $"{values.Length} elements for buffer {name}, which has {elements.Length}")));
        }

        for (var i = 0; i < elements.Length; i++)
        {
            if (store.Bits == 8 && values[i] != (sbyte)values[i])
            {
                throw new DiagnosticException(MappedDiagnostics.DoesNotFit(where, name, elements[i], values[i], 8));
            }

            store.Values[elements[i]] = values[i];
            store.Stamps![elements[i]] = stamp;
        }
    }

    private void Add(MappedStore store)
    {
        if (!_stores.TryAdd(store.Name, store))
        {
            throw new DiagnosticException(MappedDiagnostics.DuplicateName("buffers or constants", store.Name));
        }
    }

    // The array computes in 32 bits, so a constant whose elements need more can't be read by any step.
    private static int[] Integers(MappedConstant constant)
    {
        var where = $"constant {constant.Name}";
        var tensor = constant.Value;
        if (tensor.Element == ElementType.Float32)
        {
            throw new DiagnosticException(MappedDiagnostics.Malformed(where, "its elements are not integers"));
        }

        var values = new int[tensor.Shape.Elements];
        for (var i = 0; i < values.Length; i++)
        {
            var value = tensor.GetInteger(i);
            values[i] = value == (int)value ? (int)value : throw new DiagnosticException(MappedDiagnostics.DoesNotFit(where, constant.Name, i, value, 32));
        }

        return values;
    }
}
