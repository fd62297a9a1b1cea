namespace CnnCompiler.Targets.OpenEdge.Selection;

/// <summary>Where parameter blocks, and code that isn't shared, are taken to lie before a launch.</summary>
/// <param name="CopiedShare">The share of them, 0 to 1, whose copies from flash count: a price of room in RAM.</param>
public readonly record struct ParameterPlace(double CopiedShare)
{
    /// <summary>In RAM from the beginning.</summary>
    public static readonly ParameterPlace Ram = new(0);

    /// <summary>In flash: the host copies them.</summary>
    public static readonly ParameterPlace Flash = new(1);

    /// <summary>A cost between what it is with all in RAM and with all copied.</summary>
    public long Of(long inRam, long fromFlash) => CopiedShare switch
    {
        0 => inRam,
        1 => fromFlash,
        _ => inRam + (long)Math.Round(CopiedShare * (fromFlash - inRam)),
    };
}
