using System.CommandLine;
using System.Globalization;
using System.Text;
using CnnCompiler.Cli.Files;
using CnnCompiler.Cli.Reporting;
using CnnCompiler.Core;
using CnnCompiler.Frontend;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Passes.Selection;
using CnnCompiler.Passes.Selection.Explanation;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Cli.Commands;

/// <summary>The options of every verb that compiles, and how they become a <see cref="CompileRequest"/>.</summary>
internal sealed class CompilationOptions
{
    private const string DefaultTarget = "openedge";

    /// <summary>Makes the options.</summary>
    /// <param name="requireTarget">True for a verb that does nothing but compile.</param>
    public CompilationOptions(bool requireTarget) => Target = new("--target", "-t")
    {
        Description = $"Target: {string.Join(", ", CompilerTargets.All.Select(target => target.Name))}{(requireTarget ? string.Empty : $" (default: {DefaultTarget})")}",
        HelpName = "TARGET",
        Required = requireTarget,
    };

    /// <summary>-t.</summary>
    public Option<string> Target { get; }

    /// <summary>--machine.</summary>
    public Option<string> Machine { get; } = new("--machine")
    {
        Description = "Machine of the target: a shipped one by name (see cnnc targets), a description FILE.json, or FILE.json#NAME for one of its variants",
        HelpName = "NAME|FILE.json",
    };

    /// <summary>--from.</summary>
    public Option<string> From { get; } = new("--from")
    {
        Description = $"Go on from the text of a level, as --emit wrote it ({string.Join(", ", ModuleText.Levels.Select(level => level.Name()))}); not needed for a .cnnir file",
        HelpName = "LEVEL",
    };

    /// <summary>--elements.</summary>
    public Option<string> Elements { get; } = new("--elements")
    {
        Description = "What the type 'value' of a .cnn description is: i8 (the default), f32, or fixed0 to fixed30 (fixed point with so many bits behind the point)",
        HelpName = "TYPE",
    };

    /// <summary>--verify-each.</summary>
    public Option<bool> VerifyEach { get; } = new("--verify-each") { Description = "Verify the program after every pass" };

    /// <summary>--print-after.</summary>
    public Option<string[]> PrintAfter { get; } = new("--print-after")
    {
        Description = "Print the program after a pass to standard error; may be given several times",
        HelpName = "PASS",
        AllowMultipleArgumentsPerToken = false,
    };

    /// <summary>--print-after-all.</summary>
    public Option<bool> PrintAfterAll { get; } = new("--print-after-all") { Description = "Print the program after every pass to standard error" };

    /// <summary>--dump-dir.</summary>
    public Option<string> DumpDirectory { get; } = new("--dump-dir")
    {
        Description = "Write the program after every pass into a folder: numbered .cnnir files, from which cnnc goes on, and what each pass changed",
        HelpName = "DIR",
    };

    /// <summary>--force.</summary>
    public Option<string[]> Force { get; } = new("--force")
    {
        Description = "Map a layer, or lay out its tensor (LAYER:layout), in this way instead of the cheapest; may be given several times (see --emit choices)",
        HelpName = "LAYER=CANDIDATE",
        AllowMultipleArgumentsPerToken = false,
    };

    /// <summary>--set.</summary>
    public Option<string[]> Set { get; } = new("--set")
    {
        Description = "Set an option of a pass (cnnc passes lists them); may be given several times",
        HelpName = "PASS.OPTION=VALUE",
        AllowMultipleArgumentsPerToken = false,
    };

    /// <summary>--disable.</summary>
    public Option<string[]> Disable { get; } = new("--disable")
    {
        Description = "Leave a pass out (one that cnnc passes lists from a level to the same one); may be given several times",
        HelpName = "PASS",
        AllowMultipleArgumentsPerToken = false,
    };

    /// <summary>--effort.</summary>
    public Option<int> Effort { get; } = new("--effort")
    {
        Description = "How much to look for a faster mapping: 0 default kernels, nothing measured; 1 all kernels measured and chosen together; 2 and 3 also tried in the whole program; arrayflex, gconv: 0 leaves algorithms of convolutions out",
        HelpName = "0..3",
        DefaultValueFactory = _ => SearchOptions.DefaultEffort,
    };

    /// <summary>--optimize.</summary>
    public Option<string> Optimize { get; } = new("--optimize")
    {
        Description = "What the choice of mappings makes small: cycles (the default), energy, or edp, their product",
        HelpName = "cycles|energy|edp",
    };

    /// <summary>--schedule.</summary>
    public Option<string> Schedule { get; } = new("--schedule") { Description = "Take the choices of a file that --schedule-out wrote, without a search", HelpName = "FILE" };

    /// <summary>--schedule-out.</summary>
    public Option<string> ScheduleOut { get; } = new("--schedule-out") { Description = "Write all choices of the mapping, for --schedule", HelpName = "FILE" };

    /// <summary>--cost-cache.</summary>
    public Option<string> CostCache { get; } = new("--cost-cache") { Description = "Keep measured costs in a folder from one compilation to the next; results are the same", HelpName = "DIR" };

    /// <summary>Adds the options to a verb.</summary>
    public void AddTo(Command command)
    {
        command.Options.Add(Target);
        command.Options.Add(Machine);
        command.Options.Add(From);
        command.Options.Add(Elements);
        command.Options.Add(Force);
        command.Options.Add(Effort);
        command.Options.Add(Optimize);
        command.Options.Add(Schedule);
        command.Options.Add(ScheduleOut);
        command.Options.Add(CostCache);
        command.Options.Add(Set);
        command.Options.Add(Disable);
        command.Options.Add(PrintAfter);
        command.Options.Add(PrintAfterAll);
        command.Options.Add(DumpDirectory);
        command.Options.Add(VerifyEach);
    }

    /// <summary>The target that the command line names.</summary>
    /// <exception cref="UsageException">There is none of that name.</exception>
    public CompilerTarget ChooseTarget(ParseResult parse) => FindTarget(parse.GetValue(Target) ?? DefaultTarget);

    /// <summary>A target by its name.</summary>
    /// <exception cref="UsageException">There is none of that name.</exception>
    public static CompilerTarget FindTarget(string name) =>
        CompilerTargets.Find(name) ?? throw new UsageException(FileDiagnostics.UnknownName("target", name, CompilerTargets.All.Select(target => target.Name).ToList()));

    /// <summary>The machine that the command line names: the target's default, a shipped one, or one of a file.</summary>
    /// <exception cref="UsageException">There is none of that name.</exception>
    /// <exception cref="DiagnosticException">The file can't be read or is wrong.</exception>
    public MachineDescription ChooseMachine(ParseResult parse, CompilerTarget target, CliSession session) => FindMachine(parse.GetValue(Machine), target, session);

    /// <summary>A machine of a target by its name; the default one for null.</summary>
    /// <exception cref="UsageException">There is none of that name.</exception>
    /// <exception cref="DiagnosticException">The file can't be read or is wrong.</exception>
    public static MachineDescription FindMachine(string? name, CompilerTarget target, CliSession session)
    {
        if (name is null)
        {
            return target.DefaultMachine;
        }

        if (target.FindMachine(name) is { } shipped)
        {
            return shipped;
        }

        var (file, variant) = SplitVariant(name, session);
        if (!file.EndsWith(".json", StringComparison.OrdinalIgnoreCase))
        {
            throw new UsageException(FileDiagnostics.UnknownName("machine", name, target.Machines.Select(machine => machine.Name).ToList()));
        }

        var problems = new DiagnosticBag();
        var bytes = session.Read(file, "a machine description", InputFiles.LargestMachine);
        session.Printer.AddSource(file, bytes);
        var machines = MachineDescriptionJson.Parse(bytes, file, problems);
        session.Printer.Print(machines is null ? problems.Diagnostics.SkipLast(1) : problems.Diagnostics);
        if (machines is null)
        {
            throw new DiagnosticException(problems.Diagnostics[^1]);
        }

        return variant is null
            ? machines[0]
            : machines.FirstOrDefault(machine => machine.Name == variant)
                ?? throw new DiagnosticException(FileDiagnostics.UnknownVariant(file, variant, machines.Select(machine => machine.Name).ToList()));
    }

    /// <summary>Compiles a source as the command line says, or runs just some passes on it; prints its diagnostics; null where there were errors.</summary>
    public CompileResult? Compile(ParseResult parse, CliSession session, string file, byte[] source, IrLevel stopLevel, IReadOnlyList<string>? passes = null, CompilerTarget? other = null)
    {
        // What is said about passes and machines is said about the target that the command line names.
        var target = other ?? ChooseTarget(parse);
        var machine = other?.DefaultMachine ?? ChooseMachine(parse, target, session);
        var printAfter = other is null ? CheckPasses(parse, target.Pipeline(machine, [])) : [];
        var dump = other is null && parse.GetValue(DumpDirectory) is { } folder ? new PassDump(session, folder) : null;
        session.Printer.AddSource(file, source);
        var files = new DiagnosticBag();
        var progress = new ProgressLine(session.Environment);
        var costs = other is null && parse.GetValue(CostCache) is { } kept ? new CostFolder(session.Files, kept) : null;
        var request = new CompileRequest(file, source, target.Name)
        {
            Machine = machine,
            From = ChooseFrom(parse),
            Elements = ChooseElements(parse, file),
            Passes = passes,
            StopLevel = stopLevel,
            Forced = other is null ? [.. (parse.GetValue(Force) ?? []).Select(ParseForce)] : [],
            Options = (other is null ? parse.GetValue(Set) ?? [] : []).Select(ParseSet).GroupBy(set => set.Key, StringComparer.Ordinal).ToDictionary(sets => sets.Key, sets => sets.Last().Value, StringComparer.Ordinal),
            Disabled = other is null ? parse.GetValue(Disable) ?? [] : [],
            VerifyEach = parse.GetValue(VerifyEach),
            Search = other is null ? ChooseSearch(parse, target, session, costs) with
            {

                // at a terminal only: what a build prints must not depend on how long it took
                Progress = session.Environment.Interactive ? at => progress.Report(() => string.Create(CultureInfo.InvariantCulture, $"{at.Stage} {at.Done} of {at.Parts}")) : null,
            } : new(),
            Companion = name => ReadCompanion(file, name, session, files),
            Cancellation = session.Environment.Cancellation,
            AfterFrontend = module =>
            {
                session.Crash.SetLastProgram(module);
                dump?.Add(module.Level.Name(), module);
            },
            AfterPass = snapshot =>
            {
                Show(snapshot, printAfter, session);
                dump?.Add(snapshot.Pass.Description.Name, snapshot.After);
            },
        };
        var result = session.Environment.Compile(request);
        progress.Finish();
        session.Printer.Print(files.Diagnostics.Concat(result.Diagnostics).Concat(costs?.Notes.Diagnostics ?? []));
        if (!result.Succeeded || files.HasErrors || session.Printer.HasPromoted)
        {
            return null;
        }

        if (other is null && parse.GetValue(ScheduleOut) is { } schedule)
        {
            WriteSchedule(session, schedule, file, result);
        }

        return result;
    }

    private SearchOptions ChooseSearch(ParseResult parse, CompilerTarget target, CliSession session, CostFolder? costs)
    {
        if (parse.GetValue(Effort) is var effort && effort is < 0 or > SearchOptions.MostEffort)
        {
            throw CliSession.Usage($"--effort takes 0 to {SearchOptions.MostEffort}", "leave it out for 1");
        }

        if (!target.Searches && SearchGiven(parse).FirstOrDefault(option => option.Given && !(target.ChoosesAlgorithms && option.Name == Effort.Name)).Name is { } option)
        {
            throw CliSession.Usage($"{option} has no effect on target {target.Name}: it does not search", "leave it out");
        }

        var goal = ChooseGoal(parse.GetValue(Optimize));
        if (parse.GetValue(Schedule) is not { } schedule)
        {
            return new() { Effort = effort, Goal = goal, Costs = costs };
        }

        if (parse.GetValue(Optimize) is not null)
        {
            throw CliSession.Usage("--schedule says all choices; --optimize can't change them", "leave one of the two out");
        }

        if (parse.GetValue(Force) is { Length: > 0 })
        {
            throw CliSession.Usage("--schedule says all choices; --force can't change them", "leave one of the two out");
        }

        var text = session.Read(schedule, "a schedule", InputFiles.LargestMachine);
        session.Printer.AddSource(schedule, text);
        return new() { Effort = effort, Costs = costs, ScheduleFile = schedule, Schedule = Encoding.UTF8.GetString(text) };
    }

    private static OptimizationGoal ChooseGoal(string? name) => name switch
    {
        null or "cycles" => OptimizationGoal.Cycles,
        "energy" => OptimizationGoal.Energy,
        "edp" => OptimizationGoal.EnergyDelay,
        _ => throw new UsageException(FileDiagnostics.UnknownName("goal of --optimize", name, ["cycles", "energy", "edp"])),
    };

    private (string Name, bool Given)[] SearchGiven(ParseResult parse) =>
    [
        (Effort.Name, parse.GetResult(Effort) is { Implicit: false }),
        ("--optimize", parse.GetValue(Optimize) is not null),
        ("--schedule", parse.GetValue(Schedule) is not null),
        ("--schedule-out", parse.GetValue(ScheduleOut) is not null),
        ("--cost-cache", parse.GetValue(CostCache) is not null),
    ];

    private static void WriteSchedule(CliSession session, string path, string file, CompileResult result)
    {
        if (Path.GetFullPath(path) == Path.GetFullPath(file))
        {
            throw new DiagnosticException(FileDiagnostics.SameOutput(path));
        }

        var text = result.Modules.Values.OfType<MappedModule>().FirstOrDefault()?.Schedule
            ?? throw CliSession.Usage("--schedule-out needs a mapping that was chosen here", "compile the network to the mapped level or beyond, not from it");
        session.Write(path, Encoding.UTF8.GetBytes(text));
    }

    private IrLevel? ChooseFrom(ParseResult parse)
    {
        if (parse.GetValue(From) is not { } name)
        {
            return null;
        }

        return IrLevels.Parse(name) is { } level && ModuleText.Levels.Contains(level)
            ? level
            : throw new UsageException(FileDiagnostics.UnknownName("level to go on from", name, ModuleText.Levels.Select(known => known.Name()).ToList()));
    }

    private NetworkElements? ChooseElements(ParseResult parse, string file)
    {
        if (parse.GetValue(Elements) is not { } name)
        {
            return null;
        }

        if (!file.EndsWith(".cnn", StringComparison.OrdinalIgnoreCase))
        {
            throw CliSession.Usage("--elements has an effect on .cnn descriptions only: other sources say the types of their values", "leave it out");
        }

        return NetworkElements.Parse(name) ?? throw CliSession.Usage($"--elements takes i8, f32 or fixed0 to fixed30, not '{name}'", "choose one of these");
    }

    private static ForcedChoice ParseForce(string text) =>
        ForcedChoice.Parse(text) ?? throw CliSession.Usage($"--force takes LAYER=CANDIDATE, not '{text}'", "cnnc compile ... --emit choices lists both");

    private static KeyValuePair<string, string> ParseSet(string text) => text.Split('=', 2) is [{ Length: > 0 } name, { Length: > 0 } value]
        ? new(name, value)
        : throw CliSession.Usage($"--set takes PASS.OPTION=VALUE, not '{text}'", "cnnc passes lists options and their values");

    /// <summary>Refuses options that would change nothing, because what they are about is already done in an image.</summary>
    /// <exception cref="UsageException">One of them is given.</exception>
    public void RefuseForImage(ParseResult parse)
    {
        if (parse.GetValue(Machine) is not null)
        {
            throw CliSession.Usage("--machine has no effect on an image: it runs on the machine it was compiled for", "compile the network for the other machine");
        }

        (string Name, bool Given)[] options =
        [
            ("--from", parse.GetValue(From) is not null),
            ("--elements", parse.GetValue(Elements) is not null),
            ("--force", parse.GetValue(Force) is { Length: > 0 }),
            .. SearchGiven(parse),
            ("--set", parse.GetValue(Set) is { Length: > 0 }),
            ("--disable", parse.GetValue(Disable) is { Length: > 0 }),
            ("--print-after", parse.GetValue(PrintAfter) is { Length: > 0 }),
            ("--print-after-all", parse.GetValue(PrintAfterAll)),
            ("--dump-dir", parse.GetValue(DumpDirectory) is not null),
            ("--verify-each", parse.GetValue(VerifyEach)),
        ];
        var given = options.Where(option => option.Given).Select(option => option.Name).ToList();
        if (given.Count > 0)
        {
            throw CliSession.Usage($"{string.Join(", ", given)} can have no effect on an image: it is compiled already", "use the options of passes on the network's source");
        }
    }

    private static (string File, string? Variant) SplitVariant(string name, CliSession session)
    {
        var mark = name.LastIndexOf('#');
        return mark < 0 || session.Files.IsFile(name) ? (name, null) : (name[..mark], name[(mark + 1)..]);
    }

    private HashSet<string> CheckPasses(ParseResult parse, Pipeline pipeline)
    {
        var known = pipeline.Passes.Select(pass => pass.Description.Name).ToList();
        var chosen = parse.GetValue(PrintAfter) ?? [];
        foreach (var name in chosen.Where(name => !known.Contains(name, StringComparer.Ordinal)))
        {
            throw new UsageException(FileDiagnostics.UnknownName("pass", name, known));
        }

        return parse.GetValue(PrintAfterAll) ? [.. known] : [.. chosen];
    }

    private static void Show(PassSnapshot snapshot, HashSet<string> printAfter, CliSession session)
    {
        session.Crash.SetLastProgram(snapshot.After);
        if (printAfter.Contains(snapshot.Pass.Description.Name))
        {
            session.Environment.Error.WriteLine($"// after {snapshot.Pass.Description.Name}");
            session.Environment.Error.WriteLine(snapshot.After.Print());
        }
    }

    private static ReadOnlyMemory<byte>? ReadCompanion(string source, string name, CliSession session, DiagnosticBag problems)
    {
        var path = Path.Join(Path.GetDirectoryName(source), name);
        if (Path.IsPathRooted(name))
        {
            path = name;
        }

        // a missing companion is told by the front end, at the place that names it
        if (!session.Files.IsFile(path) && !session.Files.IsFolder(path))
        {
            return null;
        }

        if (session.Files.Read(path, "a file of weights", InputFiles.LargestSource, problems) is not { } bytes)
        {
            return null;
        }

        session.AddInput(path);
        return bytes;
    }
}
