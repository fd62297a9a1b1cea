namespace CnnCompiler.Cli;

/// <summary>What <c>cnnc</c> returns to the shell.</summary>
public static class ExitCodes
{
    /// <summary>Done.</summary>
    public const int Success = 0;

    /// <summary>Diagnostics with errors, failed vectors, levels that differ.</summary>
    public const int Failure = 1;

    /// <summary>The command line is wrong.</summary>
    public const int Usage = 2;

    /// <summary>A defect of cnnc; a reproducer was written.</summary>
    public const int InternalError = 3;

    /// <summary>Ended by Ctrl-C, as shells count it (128 + SIGINT).</summary>
    public const int Cancelled = 130;
}
