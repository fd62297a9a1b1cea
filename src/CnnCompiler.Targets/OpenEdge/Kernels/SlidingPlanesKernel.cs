using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// Adds up what the passes of a <see cref="SlidingKernel"/> leave side by side: [position][plane][sixteen channels] becomes [position][channel], modulo 2^32. The
/// sixteen cells are the channels; positions are one walk over all lines, those between the lines included.
/// </summary>
public sealed class SlidingPlanesKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "slide-planes-cells-are-channels";

    private readonly int _positions;

    /// <summary>Words between neighbouring positions of the sums.</summary>
    private readonly int _pitch;

    /// <summary>Compiles a nest.</summary>
    public SlidingPlanesKernel(MappedNest nest)
        : base(nest)
    {
        var view = new NestView(nest);
        var planes = view.Extent(PlanesKernel.Plane);
        string[] loops = [NestView.OuterLine, NestView.Line, NestView.Pixel];
        var walk = planes * SlidingKernel.Channels;
        _positions = 1 + (loops.Sum(l => (view.Extent(l) - 1) * view.Step(nest.Operands[0], l)) / walk);
        _pitch = loops.Where(l => view.Extent(l) > 1).Select(l => view.Step(nest.Output, l) / (view.Step(nest.Operands[0], l) / walk)).FirstOrDefault(SlidingKernel.Channels);
        Program = PlanesKernel.Adding(Strategy, _positions, planes, Cell.Side, c => c.Row < Cell.Side - 1 ? Cell.Side : _pitch - ((Cell.Side - 1) * Cell.Side));
    }

    /// <inheritdoc/>
    public override ArrayProgram Program { get; }

    /// <inheritdoc/>
    public override int Launches => 1;

    /// <inheritdoc/>
    public override int ParameterWords => 0;

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents => [(Nest.Output.Target, NestView.Base(Nest.Output) + ((_positions - 1) * _pitch) + SlidingKernel.Channels)];

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data)
    {
        LaunchPointer?[] Pointers(MappedAccess access) => [.. Enumerable.Range(0, Cell.Side).Select(column => (LaunchPointer?)new LaunchPointer(
            false, data.AddressOf(access.Target) + ((NestView.Base(access) + column) * NestView.WordBytes)))];
        return new([], Pointers(Nest.Operands[0]), Pointers(Nest.Output));
    }
}
