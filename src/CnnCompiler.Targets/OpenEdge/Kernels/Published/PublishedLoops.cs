using CnnCompiler.Ir.Mapped;

namespace CnnCompiler.Targets.OpenEdge.Kernels.Published;

/// <summary>A convolution as the published mappings see it: a window over lines and positions, input and output channels; one element a word.</summary>
public sealed class PublishedLoops
{
    /// <summary>Reduced loop across the lines of positions.</summary>
    public const string Across = "across";

    /// <summary>Reduced loop along a line.</summary>
    public const string Along = "along";

    /// <summary>Reduced loop over input channels.</summary>
    public const string Channel = "channel";

    /// <summary>Words before the first sum: the mapping that adds up in RAM begins there, with a pixel that isn't one.</summary>
    public const int WordsBefore = 4;

    private readonly MappedNest _nest;

    /// <summary>Reads a nest.</summary>
    public PublishedLoops(MappedNest nest)
    {
        _nest = nest;
        View = new(nest);
        Channels = (int)nest.Guards[0].Bound;
    }

    /// <summary>The nest's loops.</summary>
    public NestView View { get; }

    /// <summary>Output channels.</summary>
    public int Channels { get; }

    /// <summary>Positions of all lines.</summary>
    public int Positions => View.Lines * View.Extent(NestView.Pixel);

    /// <summary>Taps of a sum: window times input channels.</summary>
    public int Taps => View.Extent(Across) * View.Extent(Along) * View.Extent(Channel);

    /// <summary>Words of all sums, from the buffer's beginning.</summary>
    public int SumWords => WordsBefore + (View.Extent(NestView.Quad) * Positions * ArrayPrograms.Cell.Side);

    /// <summary>Byte address of the input at a position, first tap.</summary>
    public int Input(IKernelData data, int line, int pixel)
    {
        var access = _nest.Operands[0];
        return data.AddressOf(access.Target) + ((NestView.Base(access) + View.LineOffset(access, line) + (pixel * View.Step(access, NestView.Pixel))) * NestView.WordBytes);
    }

    /// <summary>Byte distance of the input between neighbours of a loop.</summary>
    public int InputStep(string loop) => View.Step(_nest.Operands[0], loop) * NestView.WordBytes;

    /// <summary>Byte address of a sum.</summary>
    public int Sum(IKernelData data, int channel, int position) =>
        data.AddressOf(_nest.Output.Target) + ((NestView.Base(_nest.Output) + (channel / ArrayPrograms.Cell.Side * View.Step(_nest.Output, NestView.Quad))
            + (position * ArrayPrograms.Cell.Side) + (channel % ArrayPrograms.Cell.Side)) * NestView.WordBytes);

    /// <summary>Byte address of the weights of a channel, where they lie in RAM.</summary>
    public int Weights(IKernelData data, int channel)
    {
        var access = _nest.Operands[1];
        return data.AddressOf(access.Target) + ((NestView.Base(access) + (channel * View.Step(access, NestView.Lane))) * NestView.WordBytes);
    }

    /// <summary>First element behind the last one that the input is read at, in words, with some words more.</summary>
    public int InputWords(int more)
    {
        var access = _nest.Operands[0];
        int Last(string loop) => (View.Extent(loop) - 1) * View.Step(access, loop);
        return NestView.Base(access) + Enumerable.Range(0, View.Lines).Max(line => View.LineOffset(access, line)) + Last(NestView.Pixel) + Last(Across) + Last(Along) + Last(Channel) + 1 + more;
    }
}
