using CnnCompiler.Core.Tensors;
using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Interpreter.OpenEdge;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Passes.Lowering;
using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using CnnCompiler.Targets.OpenEdge.Kernels;
using CnnCompiler.Targets.OpenEdge.Mapping;

namespace CnnCompiler.OpenEdge.Tests;

/// <summary>Launches touch nothing but their parameters and the buffers of their nests, as long as these are: the host may be writing anything else meanwhile.</summary>
public class BufferBoundsTests
{
    /// <summary>Height, width, input and output channels, window, stride, padding.</summary>
    public static TheoryData<int, int, int, int, int, int, int> Layers() => new()
    {
        { 16, 16, 16, 16, 3, 1, 1 },
        { 14, 15, 24, 11, 3, 1, 1 },
        { 14, 14, 36, 12, 3, 1, 1 },
        { 16, 16, 16, 8, 5, 1, 2 },
        { 9, 7, 20, 6, 3, 2, 1 },
        { 5, 3, 12, 20, 1, 1, 0 },
        { 1, 1, 40, 36, 1, 1, 0 },
    };

    [Theory]
    [MemberData(nameof(Layers))]
    public void Every_candidate_of_a_layer_stays_inside_its_buffers(int height, int width, int channels, int outputs, int window, int stride, int padding)
    {
        var gconv = LowerToGconv.Lower(DirectTests.Layer(height, width, channels, outputs, window, window, stride, 1, padding, "eighties"), new())!;
        var decision = OpenEdgeMapper.Map(gconv, MappingChoices.Defaults, new(), default)!.Decisions.Single(d => d.Key == "y");
        foreach (var candidate in decision.Candidates)
        {
            var program = OpenEdgeMapper.Map(gconv, MappingChoices.Defaults.With("y", candidate.Name), new(), default)!.Program;

            // passes of one kind are alike
            foreach (var nest in program.Steps.OfType<MappedNest>().GroupBy(n => n.Kernel).SelectMany(n => n.Count() > 8 ? n.Take(2).Concat(n.TakeLast(2)) : n))
            {
                Run(nest, program, candidate.Name);
            }
        }
    }

    private static void Run(MappedNest nest, MappedProgram program, string candidate)
    {
        var places = new Places(program);
        var kernel = KernelCompiler.Compile(nest, places);
        var code = KernelCompiler.Assemble(kernel, BuiltInMachines.Default);
        var launches = new[] { 0, kernel.Launches - 1 }.Distinct().Select(index => (First: index, Count: 1)).ToList();
        if (kernel.Launches > 1 && Enumerable.Range(1, kernel.Launches - 1).All(kernel.Continues))
        {
            // and all in a row, done as one
            launches.Add((0, kernel.Launches));
        }

        foreach (var (index, count) in launches)
        {
            var launch = kernel.InARow(index, count, Places.Parameters, places);
            var array = new OpenEdgeArray(BuiltInMachines.Default.Bus);
            for (var row = 0; row < Cell.Side; row++)
            {
                for (var i = 0; i < code.Rows[row].Count; i++)
                {
                    array.WriteContext(row, i, code.Rows[row][i]);
                }
            }

            array.WriteConfiguration(1, new OpenEdgeKernelConfiguration(code.Steps, 0, (1 << Cell.Side) - 1).Encode());
            uint Value(LaunchPointer? pointer) => pointer is { } p ? (uint)(p.Address + (p.InParameters ? Places.Parameters : 0)) : 0;
            for (var column = 0; column < Cell.Side; column++)
            {
                array.WriteReadPointer(column, Value(launch.Read[column]));
                array.WriteWritePointer(column, Value(launch.Write[column]));
            }

            var touched = nest.Operands.Append(nest.Output).Select(a => a.Target).ToHashSet(StringComparer.Ordinal);
            var words = new SparseWords();
            foreach (var (address, word) in launch.Marks.Concat(launch.Parameters.Select((word, i) => (Places.Parameters + (i * NestView.WordBytes), word))))
            {
                words.TrySet((uint)address, word);
            }

            var memory = new Bounded(
                [.. program.Buffers.Select(b => touched.Contains(b.Name) ? b.Words * NestView.WordBytes : 0), launch.Parameters.Length * NestView.WordBytes], places.Parameter, words);
            array.Begin(1);
            Assert.Equal(ArrayStop.Done, array.Continue(ref memory, 1 << 24));
            Assert.True(memory.Outside.Count == 0, $"{candidate}: {nest.Name} ({nest.Kernel}), {count} from launch {index}, touches {string.Join(", ", memory.Outside.Take(4))}");
        }
    }

    /// <summary>Buffers far from each other, the parameters before all.</summary>
    private sealed class Places(MappedProgram program) : IKernelData
    {
        public const int Shift = 22;
        public const int Parameters = 1 << 30;

        public int Parameter => program.Buffers.Count;

        public int AddressOf(string buffer) => (1 + Enumerable.Range(0, program.Buffers.Count).First(i => program.Buffers[i].Name == buffer)) << Shift;

        public Tensor Constant(string name) => program.Constants.First(c => c.Name == name).Value;
    }

    /// <summary>Memory that notes what lies outside the buffers.</summary>
    private readonly struct Bounded(int[] bytes, int parameters, SparseWords words) : IWordMemory
    {
        public List<string> Outside { get; } = [];

        public bool TryRead(uint address, out uint word)
        {
            word = words[address];
            return Note(address, "reads");
        }

        public bool TryWrite(uint address, uint word) => words.TrySet(address, word) && Note(address, "writes");

        private bool IsParameter(uint address) => address >= Places.Parameters && address - Places.Parameters < bytes[parameters];

        private bool Note(uint address, string what)
        {
            var (buffer, offset) = ((int)(address >> Places.Shift) - 1, address & ((1u << Places.Shift) - 1));
            if (!IsParameter(address) && (buffer < 0 || buffer >= parameters || offset >= bytes[buffer]))
            {
                Outside.Add(FormattableString.Invariant($"{what} buffer {buffer} byte {offset} of {(buffer >= 0 && buffer < parameters ? bytes[buffer] : 0)}"));
            }

            return true;
        }
    }
}
