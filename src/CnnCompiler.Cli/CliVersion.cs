namespace CnnCompiler.Cli;

/// <summary>The version that users see.</summary>
public static class CliVersion
{
    /// <summary>For example <c>0.1.0</c>.</summary>
    public const string Number = BuildVersion.Number;

    /// <summary>For example <c>cnnc 0.1.0</c>.</summary>
    public const string Text = $"cnnc {Number}";
}
