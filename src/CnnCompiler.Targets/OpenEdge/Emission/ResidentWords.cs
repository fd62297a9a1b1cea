using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Targets.OpenEdge.Emission;

/// <summary>A launch as the choice of what stays in RAM sees it.</summary>
/// <param name="Kernel">Index of its code.</param>
/// <param name="Loads">True where the host loads its code before it.</param>
/// <param name="ParameterWords">Words of its parameter block.</param>
/// <param name="Step">The program's step that it belongs to.</param>
/// <param name="ArrayBefore">Cycles of the launch beside which the host prepares this one; 0 where there is none.</param>
internal readonly record struct ResidentLaunch(int Kernel, bool Loads, int ParameterWords, int Step, long ArrayBefore);

/// <summary>
/// Chooses the parameter blocks and the code that lie in RAM from the beginning, as constants of the image, in room that no buffer ever uses: the host
/// doesn't copy such blocks at all, and such code at the cost of RAM. First comes what saves most host time that the array doesn't hide, per word.
/// </summary>
/// <param name="host">Costs of the host's steps.</param>
/// <param name="bus">On the shared bus hidden words cost a cycle each, too.</param>
/// <param name="launches">The launches in order.</param>
/// <param name="kernelWords">Words of each kernel's code.</param>
internal sealed class ResidentWords(HostDescription host, BusKind bus, IReadOnlyList<ResidentLaunch> launches, IReadOnlyList<int> kernelWords)
{
    private readonly bool[] _parameters = new bool[launches.Count];
    private readonly bool[] _code = new bool[kernelWords.Count];

    /// <summary>Words of everything.</summary>
    public long AllWords => launches.Sum(l => (long)l.ParameterWords) + kernelWords.Sum(w => (long)w);

    /// <summary>True where a launch's parameters lie in RAM.</summary>
    public bool HasParameters(int launch) => _parameters[launch];

    /// <summary>True where a kernel's code lies in RAM.</summary>
    public bool HasCode(int kernel) => _code[kernel];

    /// <summary>Words of what was chosen.</summary>
    public long Words { get; private set; }

    /// <summary>Host cycles of loading code before a launch.</summary>
    public long LoadCycles(int launch) => !launches[launch].Loads ? 0
        : (long)kernelWords[launches[launch].Kernel] * (_code[launches[launch].Kernel] ? host.RamToContext : host.FlashToContext);

    /// <summary>Chooses.</summary>
    /// <param name="free">Words of RAM that no buffer uses.</param>
    public void Choose(long free)
    {
        var all = free;
        var items = Items().Where(i => i.Saved > 0 && i.Words > 0)
            .OrderByDescending(i => (double)i.Saved / i.Words).ThenBy(i => i.IsCode ? 0 : 1).ThenBy(i => i.Index);
        foreach (var item in items)
        {
            if (item.Words <= free)
            {
                free -= item.Words;
                (item.IsCode ? _code : _parameters)[item.Index] = true;
            }
        }

        Words = all - free;
    }

    private IEnumerable<(bool IsCode, int Index, int Words, long Saved)> Items()
    {
        var ofCode = new long[kernelWords.Count];
        var slot = bus == BusKind.Shared ? 1 : 0;
        for (var i = 0; i < launches.Count; i++)
        {
            var launch = launches[i];
            var code = launch.Loads ? kernelWords[launch.Kernel] : 0;
            var (copy, load) = ((long)launch.ParameterWords * host.FlashToRam, (long)code * host.FlashToContext);
            var exposed = Math.Max(0, copy + load - launch.ArrayBefore);
            ofCode[launch.Kernel] += Math.Min(exposed, code * Math.Max(0L, host.FlashToContext - host.RamToContext));
            yield return (false, i, launch.ParameterWords, Math.Min(exposed, copy) + (launch.ParameterWords * slot));
        }

        for (var k = 0; k < ofCode.Length; k++)
        {
            yield return (true, k, kernelWords[k], ofCode[k]);
        }
    }
}
