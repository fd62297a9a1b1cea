using System.CommandLine;
using System.Globalization;
using System.Text;
using CnnCompiler.Cli.Files;
using CnnCompiler.Cli.Reporting;
using CnnCompiler.Image.Container;
using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Image.OpenEdge.Esl;
using CnnCompiler.Interpreter.Execution;
using CnnCompiler.Interpreter.OpenEdge;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Cli.Commands;

/// <summary><c>cnnc asm</c>: assembles a kernel that was written by hand, and runs it.</summary>
internal sealed class AssembleCommand
{
    private const string OwnFormat = "cnnc";
    private const string EslFormat = "esl-csv";
    private const long LargestKernel = 1L << 20;

    // without pointers of their own the columns' streams lie where no kernel's addresses are: 16 MiB each
    private const uint FirstInput = 0x4000_0000;
    private const uint FirstOutput = 0x8000_0000;
    private const uint StreamBytes = 1 << 24;
    private const int WordBytes = 4;

    private readonly CliSession _session;
    private readonly Argument<string> _file = new("FILE") { Description = "A kernel: assembler text (docs/openedge-isa.md), or a file of the ESL CGRA simulator" };
    private readonly Option<string> _format = new("--format") { Description = $"{OwnFormat} or {EslFormat} (default: {EslFormat} for .csv files)", HelpName = "FORMAT" };
    private readonly Option<string> _machine = new("--machine") { Description = "Machine whose limits and bus count (see cnnc targets)", HelpName = "NAME|FILE.json" };
    private readonly Option<string> _output = new("--output", "-o") { Description = "Where to write the assembler text, with the cycles of each step (default: standard output, unless the kernel is run)", HelpName = "FILE" };
    private readonly Option<bool> _run = new("--run") { Description = "Run the kernel once, in a memory of all 32-bit addresses" };
    private readonly Option<string> _memory = new("--memory") { Description = "Memory before the run: lines of Address,Data; everything else is 0", HelpName = "FILE.csv" };
    private readonly Option<string> _inputs = new("--inputs") { Description = "What the columns read one after the other (LWD): a line has the next word of each column", HelpName = "FILE.csv" };
    private readonly Option<string> _readPointers = new("--read-pointers") { Description = "Byte addresses of the columns' first LWD (default: places of their own for --inputs)", HelpName = "A,B,C,D" };
    private readonly Option<string> _writePointers = new("--write-pointers") { Description = "Byte addresses of the columns' first SWD (default: places of their own)", HelpName = "A,B,C,D" };
    private readonly Option<string> _outputs = new("--outputs") { Description = "Write what the columns stored one after the other (SWD)", HelpName = "FILE.csv" };
    private readonly Option<string> _memoryOutput = new("--memory-out") { Description = "Write memory behind the run: the words of --memory and those that changed", HelpName = "FILE.csv" };
    private readonly Option<bool> _trace = new("--trace") { Description = "Print the state of every cell behind each step" };
    private readonly Option<long> _maxCycles = new("--max-cycles")
    {
        Description = "Cycles after which the kernel counts as one that never ends",
        HelpName = "N",
        DefaultValueFactory = _ => RunOptions.DefaultMaxCycles,
    };

    private AssembleCommand(CliSession session) => _session = session;

    /// <summary>The verb.</summary>
    public static Command Create(CliSession session)
    {
        var verb = new AssembleCommand(session);
        var command = new VerbCommand(
            "asm",
            "Assembles a kernel for OpenEdgeCGRA that was written by hand, and runs it as the hardware would, cycle by cycle.",
            "cnnc asm samples/kernels/dot.csv --format esl-csv",
            "cnnc asm samples/kernels/dot.csv --run --inputs samples/kernels/dot.inputs.csv --memory-out memory.csv",
            "cnnc asm samples/kernels/dot.csv --run --inputs samples/kernels/dot.inputs.csv --trace");
        command.Arguments.Add(verb._file);
        foreach (var option in new Option[]
        {
            verb._format, verb._machine, verb._output, verb._run, verb._memory, verb._inputs, verb._readPointers, verb._writePointers, verb._outputs, verb._memoryOutput, verb._trace, verb._maxCycles,
        })
        {
            command.Options.Add(option);
        }

        command.SetAction(verb.Run);
        return command;
    }

    private int Run(ParseResult parse)
    {
        var runs = parse.GetValue(_run);
        RefuseWithoutRun(parse, runs);
        var file = parse.GetRequiredValue(_file);
        var machine = CompilationOptions.FindMachine(parse.GetValue(_machine), CompilationOptions.FindTarget("openedge"), _session);
        var text = ReadText(file, "a kernel", LargestKernel);
        var problems = new DiagnosticBag();
        var kernel = Format(parse, file) == EslFormat
            ? EslAssembler.Assemble(text, file, Path.GetFileNameWithoutExtension(file), problems, machine)
            : OpenEdgeAssembler.Assemble(text, file, problems, machine);
        _session.Printer.Print(problems.Diagnostics);
        if (kernel is null || _session.Printer.HasPromoted)
        {
            return ExitCodes.Failure;
        }

        var listing = OpenEdgeDisassembler.Print(kernel, machine.Bus);
        if (parse.GetValue(_output) is { } output)
        {
            _session.Write(output, Encoding.UTF8.GetBytes(listing));
        }
        else if (!runs)
        {
            _session.Environment.Out.Write(listing);
        }

        return runs ? Execute(parse, file, kernel, machine) : ExitCodes.Success;
    }

    private int Execute(ParseResult parse, string file, KernelImage kernel, MachineDescription machine)
    {
        var reads = Pointers(parse, _readPointers, FirstInput);
        var writes = Pointers(parse, _writePointers, FirstOutput);
        if (LoadMemory(parse, reads) is not var (memory, given))
        {
            return ExitCodes.Failure;
        }

        var before = memory.Clone();
        var problems = new DiagnosticBag();
        var maxCycles = parse.GetValue(_maxCycles);
        var printer = new TracePrinter(_session.Environment.Out, kernel, machine.Bus);
        if (parse.GetValue(_trace))
        {
            printer.Begin($"kernel '{DiagnosticPrinter.OneLine(kernel.Name)}'");
        }

        var options = new RunOptions { FileName = file, MaxCycles = maxCycles, Trace = parse.GetValue(_trace) ? printer.Step : null };
        var result = KernelInterpreter.Run(kernel, machine.Bus, memory, reads, writes, options, problems, _session.Environment.Cancellation);
        _session.Printer.Print(problems.Diagnostics);
        if (result is null)
        {
            return ExitCodes.Failure;
        }

        var streams = Streams(result, writes);
        if (parse.GetValue(_outputs) is { } outputs)
        {
            _session.Write(outputs, Encoding.UTF8.GetBytes(EslTables.WriteStreams(streams)));
        }

        if (parse.GetValue(_memoryOutput) is { } changed)
        {
            var ownStreams = parse.GetValue(_writePointers) is null;
            var words = given.Union(memory.ChangesFrom(before).Select(change => change.Address)).Where(address => !ownStreams || !InStream(address, FirstOutput)).Order();
            _session.Write(changed, Encoding.UTF8.GetBytes(EslTables.WriteMemory(words.Select(address => (address, memory[address])))));
        }

        Report(result, streams, machine);
        return ExitCodes.Success;
    }

    private void Report(KernelRun result, List<IReadOnlyList<uint>> streams, MachineDescription machine)
    {
        var writer = _session.Environment.Out;
        var outcome = result.Outcome;
        for (var column = 0; column < streams.Count; column++)
        {
            if (streams[column].Count > 0)
            {
                writer.WriteLine($"column {column} stored: {string.Join(' ', streams[column].Select(word => ((int)word).ToString(CultureInfo.InvariantCulture)))}");
            }
        }

        writer.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{outcome.Done:N0} cycles from the launch to its end, {outcome.Done - outcome.ExecFirst:N0} of them executing; {outcome.Reads:N0} words read, {outcome.Writes:N0} written"));
        writer.WriteLine($"stalls for data: {outcome.Counters.Stall} cycles a column; machine {machine.Name}");
    }

    private static List<IReadOnlyList<uint>> Streams(KernelRun result, uint[] writes)
    {
        var streams = new List<IReadOnlyList<uint>>();
        for (var column = 0; column < writes.Length; column++)
        {
            // where a kernel's increments are not those of a stream, there is none to show
            var bytes = unchecked(result.WritePointers[column] - writes[column]);
            var words = bytes <= StreamBytes && bytes % WordBytes == 0 ? (int)(bytes / WordBytes) : 0;
            var first = writes[column];
            streams.Add([.. Enumerable.Range(0, words).Select(word => result.Memory[unchecked(first + (uint)(WordBytes * word))])]);
        }

        return streams;
    }

    private (SparseWords Memory, IReadOnlyList<uint> Given)? LoadMemory(ParseResult parse, uint[] reads)
    {
        var memory = new SparseWords();
        var given = new List<uint>();
        var problems = new DiagnosticBag();
        if (parse.GetValue(_memory) is { } memoryFile)
        {
            foreach (var (address, word) in EslTables.ReadMemory(ReadText(memoryFile, "a memory file", InputFiles.LargestTensor), memoryFile, problems) ?? [])
            {
                Put(memoryFile, address, word);
                given.Add(address);
            }
        }

        if (parse.GetValue(_inputs) is { } inputFile)
        {
            var streams = EslTables.ReadStreams(ReadText(inputFile, "a file of inputs", InputFiles.LargestTensor), inputFile, problems) ?? [];
            for (var column = 0; column < streams.Count; column++)
            {
                for (var word = 0; word < streams[column].Count; word++)
                {
                    Put(inputFile, unchecked(reads[column] + (uint)(WordBytes * word)), streams[column][word]);
                }
            }
        }

        _session.Printer.Print(problems.Diagnostics);
        return problems.HasErrors ? null : (memory, given);

        void Put(string file, uint address, uint word)
        {
            if (!memory.TrySet(address, word))
            {
                throw new DiagnosticException(ExecutionDiagnostics.SparseMemoryFull(SourceSpan.WholeFile(file), "the file", address, SparseWords.MaxPages * (long)SparseWords.PageBytes));
            }
        }
    }

    private static bool InStream(uint address, uint first) => address >= first && address < first + (EslTables.Columns * StreamBytes);

    private static uint[] Pointers(ParseResult parse, Option<string> option, uint first)
    {
        if (parse.GetValue(option) is not { } text)
        {
            return [.. Enumerable.Range(0, EslTables.Columns).Select(column => first + ((uint)column * StreamBytes))];
        }

        var pointers = new List<uint>();
        foreach (var part in text.Split(','))
        {
            var hexadecimal = part.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
            if (!uint.TryParse(hexadecimal ? part.AsSpan(2) : part, hexadecimal ? NumberStyles.AllowHexSpecifier : NumberStyles.None, CultureInfo.InvariantCulture, out var pointer) || pointer % WordBytes != 0)
            {
                throw CliSession.Usage($"{option.Name} takes byte addresses that are multiples of 4, not '{part}'", "write them in decimal or as 0x1f0");
            }

            pointers.Add(pointer);
        }

        return pointers.Count == EslTables.Columns
            ? [.. pointers]
            : throw CliSession.Usage($"{option.Name} takes {EslTables.Columns} addresses, not {pointers.Count}", "give one for each column, separated by commas");
    }

    private void RefuseWithoutRun(ParseResult parse, bool runs)
    {
        var given = new Option[] { _memory, _inputs, _readPointers, _writePointers, _outputs, _memoryOutput, _trace, _maxCycles }.Where(option => parse.GetResult(option) is { Implicit: false }).Select(option => option.Name).ToList();
        if (!runs && given.Count > 0)
        {
            throw CliSession.Usage($"{string.Join(", ", given)} can have no effect: the kernel is not run", "add --run");
        }

        if (parse.GetValue(_maxCycles) < 1)
        {
            throw CliSession.Usage("--max-cycles has to be at least 1", "leave it out for the default");
        }
    }

    private string Format(ParseResult parse, string file) => parse.GetValue(_format) switch
    {
        null => file.EndsWith(".csv", StringComparison.OrdinalIgnoreCase) ? EslFormat : OwnFormat,
        OwnFormat => OwnFormat,
        EslFormat => EslFormat,
        var other => throw new UsageException(FileDiagnostics.UnknownName("format", other, [OwnFormat, EslFormat])),
    };

    private string ReadText(string file, string kind, long limit)
    {
        var bytes = _session.Read(file, kind, limit);
        _session.Printer.AddSource(file, bytes);
        try
        {
            return new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true).GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            throw new DiagnosticException(FileDiagnostics.NotUtf8(file));
        }
    }
}
