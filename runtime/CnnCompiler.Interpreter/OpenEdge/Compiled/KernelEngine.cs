namespace CnnCompiler.Interpreter.OpenEdge;

/// <summary>How decoded steps are executed. State, cycles and stops are the same.</summary>
public enum KernelEngine
{
    /// <summary>A kernel is interpreted until it has run long enough for its translation to pay, then translated. Where code can't be made at run time it's always interpreted.</summary>
    Automatic,

    /// <summary>Always interpreted.</summary>
    Interpreted,

    /// <summary>Translated to .NET IL before its first step, where code can be made at run time and the memory model's timing needs no loop over cycles.</summary>
    Compiled,
}
