using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Fuzzing;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Passes.Infrastructure;

namespace CnnCompiler.TestSupport;

/// <summary>Targets with a fault that fuzzing has to find.</summary>
public static class FaultyTargets
{
    /// <summary>One that throws.</summary>
    public static FuzzMachine Throwing { get; } = Of("throwing", new Throw());

    /// <summary>One that adds 1 to what each operator of codes computes.</summary>
    public static FuzzMachine Wrong { get; } = Of("wrong", new AddOne());

    private static FuzzMachine Of(string name, Pass pass)
    {
        var sound = CompilerTargets.All[0];
        return new(new(name, "a target with a fault", sound.Machines, (_, _) => new(pass), sound.Mapped), sound.DefaultMachine);
    }

    private sealed class Throw() : Pass<GconvModule, GconvModule>(new("throw", "throws", IrLevel.Gconv, IrLevel.Gconv))
    {
        protected override GconvModule Transform(GconvModule module, PassContext context) => throw new InvalidOperationException("out of order");
    }

    private sealed class AddOne() : Pass<GconvModule, GconvModule>(new("add-one", "adds 1", IrLevel.Gconv, IrLevel.Gconv))
    {
        protected override GconvModule Transform(GconvModule module, PassContext context) => new(module.Program with
        {
            Steps = module.Program.Steps
                .Select(step => step is GconvOperator { Type.Element: ElementType.Int8 } o ? o with { Post = Scalar.Clamp(Scalar.Add(o.Post, Scalar.Literal(1)), sbyte.MinValue, sbyte.MaxValue) } : step)
                .ToEquatableArray(),
        });
    }
}
