using CnnCompiler.Core;

namespace CnnCompiler.Passes.Selection.Published;

/// <summary>How a GEMM runs on the published array.</summary>
public enum DynamapDataflow
{
    /// <summary>Non-stationary (called OS in the published code).</summary>
    NS,

    /// <summary>Weight stationary.</summary>
    WS,

    /// <summary>Input stationary; in a published notebook only, not in the tool.</summary>
    IS,
}

/// <summary>How a convolution becomes GEMMs.</summary>
public enum DynamapAlgorithm
{
    /// <summary>One GEMM over the Toeplitz matrix.</summary>
    Im2col,

    /// <summary>A GEMM a kernel element, accumulated.</summary>
    Kn2row,

    /// <summary>Winograd F(2, 3), larger kernels in rounds of 3.</summary>
    Winograd,
}

/// <summary>The array and memory that the published costs assume.</summary>
/// <param name="Rows">P1, the input dimension.</param>
/// <param name="Columns">P2, the kernel dimension.</param>
/// <param name="Megahertz">Clock.</param>
/// <param name="Dataflows">The dataflows allowed.</param>
/// <param name="BytesPerMillisecond">Memory bandwidth; 64 GB/s in the published code.</param>
public sealed record DynamapOverlay(int Rows, int Columns, double Megahertz, EquatableArray<DynamapDataflow> Dataflows, double BytesPerMillisecond = 64e6)
{
    /// <summary>Clock in cycles a millisecond.</summary>
    public double CyclesPerMillisecond => Megahertz * 1000;
}

/// <summary>A convolution as the published code describes one; its stride is not in it.</summary>
/// <param name="Height">H1, rows of the map computed.</param>
/// <param name="Width">H2, columns of the map computed.</param>
/// <param name="KernelHeight">K1.</param>
/// <param name="KernelWidth">K2.</param>
/// <param name="Inputs">Input channels.</param>
/// <param name="Outputs">Output channels.</param>
public sealed record DynamapConvolution(int Height, int Width, int KernelHeight, int KernelWidth, int Inputs, int Outputs)
{
    /// <summary>The algorithms that the published tool offers.</summary>
    public EquatableArray<DynamapAlgorithm> Algorithms =>
        KernelHeight == 1 && KernelWidth == 1 ? [DynamapAlgorithm.Im2col]
        : KernelHeight != KernelWidth || KernelHeight == 2 ? [DynamapAlgorithm.Im2col, DynamapAlgorithm.Kn2row]
        : [DynamapAlgorithm.Im2col, DynamapAlgorithm.Kn2row, DynamapAlgorithm.Winograd];
}

/// <summary>
/// The idealised cost model of DYNAMAP (FPGA 2021) as its authors' code has it (the project's research notes on DYNAMAP, sections 3 to 5): for reproducing their
/// figures, never for compiling to a machine. It has no fill, drain or weight load, a fractional number of Winograd rounds, transforms that cost nothing
/// a tile, and one byte an element. Known defects of the code (section 8 there) are not repeated.
/// </summary>
/// <param name="overlay">Array and memory.</param>
public sealed class PublishedDynamapCosts(DynamapOverlay overlay)
{
    // F(m, r): outputs a tile and kernel size of the transform.
    private const int M = 2;
    private const int R = 3;
    private const int Tile = M + R - 1;

    /// <summary>Array and memory.</summary>
    public DynamapOverlay Overlay => overlay;

    /// <summary>Cycles of a GEMM (a x b) (b x c); a need not be whole (section 3).</summary>
    public double GemmCycles(double a, int b, int c, DynamapDataflow dataflow) => dataflow switch
    {
        DynamapDataflow.NS => Math.Ceiling(a / overlay.Rows) * Math.Ceiling((double)c / overlay.Columns) * b,
        DynamapDataflow.WS => Math.Ceiling((double)b / overlay.Rows) * Math.Ceiling((double)c / overlay.Columns) * a,
        _ => Math.Ceiling((double)b / overlay.Rows) * Math.Ceiling(a / overlay.Columns) * c,
    };

    /// <summary>Milliseconds of a convolution (section 4).</summary>
    public double Milliseconds(DynamapConvolution layer, DynamapAlgorithm algorithm, DynamapDataflow dataflow)
    {
        double area = (double)layer.Height * layer.Width;
        var kernel = layer.KernelHeight * layer.KernelWidth;
        var patch = kernel * layer.Inputs;
        // Five by five and seven by seven are 2.78 and 5.44 rounds here; a machine needs 4 and 9.
        var rounds = (double)kernel / (R * R);
        return algorithm switch
        {
            DynamapAlgorithm.Im2col => (GemmCycles(area, patch, layer.Outputs, dataflow) / overlay.CyclesPerMillisecond)
                + (((area * patch) + ((double)patch * layer.Outputs)) / overlay.BytesPerMillisecond),
            DynamapAlgorithm.Kn2row => kernel * GemmCycles(area, layer.Inputs, layer.Outputs, dataflow) / overlay.CyclesPerMillisecond,
            _ => rounds * Tile * Tile * (GemmCycles(area / (M * M), layer.Inputs, layer.Outputs, dataflow) + Math.Max(M, R)) / overlay.CyclesPerMillisecond,
        };
    }

    /// <summary>Milliseconds with the best of the overlay's dataflows.</summary>
    public double Milliseconds(DynamapConvolution layer, DynamapAlgorithm algorithm) => overlay.Dataflows.Min(dataflow => Milliseconds(layer, algorithm, dataflow));

    /// <summary>Milliseconds of bringing a map to the algorithm that reads it (section 5).</summary>
    /// <param name="height">Rows of the map.</param>
    /// <param name="width">Columns of the map.</param>
    /// <param name="channels">Channels of the map.</param>
    /// <param name="kernel">Elements of the next layer's kernel.</param>
    /// <param name="from">Who made it; null for a stored tensor, which lies as kn2row's does.</param>
    /// <param name="to">Who reads it; null for a stored tensor.</param>
    public double TransitionMilliseconds(int height, int width, int channels, int kernel, DynamapAlgorithm? from, DynamapAlgorithm? to)
    {
        double volume = (double)height * width * channels;
        var scattered = volume * Tile * Tile / (M * M);
        // The code writes m**2/o1*o2, which is m^2 o2 / o1.
        var burst = (double)(M * M) / height * width;
        var bytes = (from, to) switch
        {
            (_, DynamapAlgorithm.Im2col) => volume * kernel,
            (DynamapAlgorithm.Winograd, DynamapAlgorithm.Winograd) => scattered / (M * M),
            (_, DynamapAlgorithm.Winograd) => scattered * (channels + burst) / channels,
            _ => volume,
        };

        // Double buffering hides the other half only where the memory keeps up with both edges of the array.
        var keepsUp = (overlay.Rows + overlay.Columns) * overlay.CyclesPerMillisecond <= overlay.BytesPerMillisecond;
        return bytes / overlay.BytesPerMillisecond * (keepsUp ? 1 : 2);
    }
}
