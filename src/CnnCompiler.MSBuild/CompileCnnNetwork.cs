using System;
using System.IO;
using System.Text;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

namespace CnnCompiler.MSBuild;

/// <summary>Compiles one network by running cnnc in a process of its own. What cnnc tells becomes errors and warnings of the build, at their places.</summary>
public sealed class CompileCnnNetwork : ToolTask
{
    private static readonly char[] _separators = [';', ',', ' '];

    /// <summary>The network: a path.</summary>
    [Required]
    public string Network { get; set; } = string.Empty;

    /// <summary>The image to write.</summary>
    [Required]
    public string Image { get; set; } = string.Empty;

    /// <summary>Name of the target.</summary>
    [Required]
    public string CnnTarget { get; set; } = string.Empty;

    /// <summary>The compiler, cnnc.dll.</summary>
    [Required]
    public string CompilerPath { get; set; } = string.Empty;

    /// <summary>Where to write the list of files that the image depends on.</summary>
    [Required]
    public string DependencyFile { get; set; } = string.Empty;

    /// <summary>A shipped machine or a description of one; empty for the target's default.</summary>
    public string Machine { get; set; } = string.Empty;

    /// <summary>Further options of <c>cnnc compile</c>, as on a command line.</summary>
    public string Options { get; set; } = string.Empty;

    /// <summary>Codes of warnings that are not told, separated by semicolons.</summary>
    public string NoWarn { get; set; } = string.Empty;

    /// <summary>True where warnings are errors.</summary>
    public bool TreatWarningsAsErrors { get; set; }

    /// <inheritdoc/>
    protected override string ToolName => "dotnet";

    /// <inheritdoc/>
    protected override Encoding StandardErrorEncoding => Encoding.UTF8;

    /// <inheritdoc/>
    protected override Encoding StandardOutputEncoding => Encoding.UTF8;

    /// <inheritdoc/>
    protected override string GenerateFullPathToTool() => Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") is { Length: > 0 } host ? host : ToolName;

    /// <inheritdoc/>
    protected override string GenerateCommandLineCommands()
    {
        var line = new CommandLineBuilder();
        line.AppendSwitch("exec");
        line.AppendFileNameIfNotNull(CompilerPath);
        line.AppendSwitch("compile");
        line.AppendFileNameIfNotNull(Network);
        line.AppendSwitchIfNotNull("-t ", CnnTarget);
        line.AppendSwitchIfNotNull("-o ", Image);
        line.AppendSwitchIfNotNull("--depfile ", DependencyFile);
        line.AppendSwitchIfNotNull("--machine ", Machine.Length == 0 ? null : Machine);
        line.AppendSwitchIfNotNull("--nowarn ", CnnCodes());
        if (TreatWarningsAsErrors)
        {
            line.AppendSwitch("--warnaserror");
        }

        if (Options.Length > 0)
        {
            line.AppendTextUnquoted(" " + Options);
        }

        return line.ToString();
    }

    /// <inheritdoc/>
    public override bool Execute()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(Image))!);
        return base.Execute();
    }

    // $(NoWarn) holds the codes of all tools.
    private string? CnnCodes()
    {
        var codes = Array.FindAll(NoWarn.Split(_separators, StringSplitOptions.RemoveEmptyEntries), code => code.StartsWith("CNN", StringComparison.OrdinalIgnoreCase));
        return codes.Length == 0 ? null : string.Join(",", codes);
    }
}
