using System.Reflection;

namespace CnnCompiler.Cli;

/// <summary>The version that users see.</summary>
public static class CliVersion
{
    /// <summary>For example <c>0.1.0</c>.</summary>
    public static string Number { get; } =
        (typeof(CliVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0").Split('+')[0];

    /// <summary>For example <c>cnnc 0.1.0</c>.</summary>
    public static string Text => $"cnnc {Number}";
}
