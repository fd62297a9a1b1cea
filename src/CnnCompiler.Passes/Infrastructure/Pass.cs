using CnnCompiler.Core;

namespace CnnCompiler.Passes.Infrastructure;

/// <summary>A setting of a pass. Command-line flags, help and docs derive from it.</summary>
/// <param name="Name">Name in lower case with hyphens, unique in its pass.</param>
/// <param name="Summary">One line for help.</param>
/// <param name="Default">Value where none is given; one of <paramref name="Choices"/>, where there are any.</param>
/// <param name="Choices">All values; none where the pass reads any text.</param>
public sealed record PassOption(string Name, string Summary, string Default, EquatableArray<string> Choices);

/// <summary>What a pass is: stated once, in its constructor.</summary>
/// <param name="Name">A verb phrase in lower case with hyphens, for example <c>lower-to-gconv</c>; unique in a pipeline.</param>
/// <param name="Summary">One line for help and docs.</param>
/// <param name="From">Level it reads.</param>
/// <param name="To">Level it writes: the same (a rewrite) or a later one (a lowering).</param>
/// <param name="Options">Its settings.</param>
public sealed record PassDescription(string Name, string Summary, IrLevel From, IrLevel To, EquatableArray<PassOption> Options = default);

/// <summary>A pure function from a module to a module.</summary>
/// <param name="description">What it is.</param>
public abstract class Pass(PassDescription description)
{
    /// <summary>What the pass is.</summary>
    public PassDescription Description { get; } = description;

    /// <summary>
    /// The result, or null after reporting an error to <see cref="PassContext.Diagnostics"/>. Call it through <see cref="PassRunner"/>.
    /// </summary>
    public abstract IrModule? Run(IrModule module, PassContext context);
}

/// <summary>A pass between two known kinds of module.</summary>
/// <typeparam name="TFrom">Module read.</typeparam>
/// <typeparam name="TTo">Module written.</typeparam>
/// <param name="description">What it is.</param>
public abstract class Pass<TFrom, TTo>(PassDescription description) : Pass(description)
    where TFrom : IrModule
    where TTo : IrModule
{
    /// <inheritdoc/>
    public sealed override IrModule? Run(IrModule module, PassContext context)
    {
        if (module is TFrom from)
        {
            return Transform(from, context);
        }

        // the mapped levels of two targets are different programs
        context.Diagnostics.Report(PassDiagnostics.OtherTargetsProgram(Description));
        return null;
    }

    /// <summary>The result, or null after reporting an error.</summary>
    protected abstract TTo? Transform(TFrom module, PassContext context);
}
