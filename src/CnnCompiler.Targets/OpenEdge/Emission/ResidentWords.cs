using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Targets.OpenEdge.Emission;

/// <summary>A launch as the choice of what stays in RAM sees it.</summary>
/// <param name="Code">Index of the code that the host loads before it; -1 where its kernel is resident.</param>
/// <param name="ParameterWords">Words of its parameter block.</param>
/// <param name="Step">The program's step that it belongs to.</param>
/// <param name="ArrayBefore">Cycles of the launch beside which the host prepares this one; 0 where there is none.</param>
/// <param name="ExpandedWords">Words that it writes as parameters of the next launch.</param>
internal readonly record struct ResidentLaunch(int Code, int ParameterWords, int Step, long ArrayBefore, int ExpandedWords);

/// <summary>What the host may load before launches.</summary>
/// <param name="Words">Words in RAM.</param>
/// <param name="CyclesFromRam">Host cycles of loading them from there.</param>
/// <param name="CyclesFromFlash">Host cycles of loading the code from flash.</param>
/// <param name="BusWordsFromRam">Words that it moves to load them from RAM.</param>
/// <param name="BusWordsFromFlash">Words that it moves to load the code from flash.</param>
internal readonly record struct ResidentCode(int Words, long CyclesFromRam, long CyclesFromFlash, long BusWordsFromRam, long BusWordsFromFlash);

/// <summary>
/// Chooses the parameter blocks and the code that lie in RAM from the beginning, as constants of the image, in room that no buffer ever uses: the host
/// doesn't copy such blocks at all, and such code at the cost of RAM. First comes what saves most host time that the array doesn't hide, per word.
/// </summary>
/// <param name="host">Costs of the host's steps.</param>
/// <param name="bus">On the shared bus hidden words cost a cycle each, too.</param>
/// <param name="launches">The launches in order.</param>
/// <param name="codes">What they load.</param>
internal sealed class ResidentWords(HostDescription host, BusKind bus, IReadOnlyList<ResidentLaunch> launches, IReadOnlyList<ResidentCode> codes)
{
    private readonly bool[] _parameters = new bool[launches.Count];
    private readonly bool[] _code = new bool[codes.Count];

    /// <summary>Words of everything.</summary>
    public long AllWords => launches.Sum(l => (long)l.ParameterWords) + codes.Sum(code => (long)code.Words);

    /// <summary>True where everything was chosen.</summary>
    public bool IsAll => Words == AllWords;

    /// <summary>True where a launch's parameters lie in RAM.</summary>
    public bool HasParameters(int launch) => _parameters[launch];

    /// <summary>True where code lies in RAM.</summary>
    public bool HasCode(int code) => _code[code];

    /// <summary>Words of what was chosen.</summary>
    public long Words { get; private set; }

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
        var ofCode = new long[codes.Count];
        var slot = bus == BusKind.Shared ? 1 : 0;
        for (var i = 0; i < launches.Count; i++)
        {
            var launch = launches[i];
            var code = launch.Code < 0 ? default : codes[launch.Code];
            var copy = (long)launch.ParameterWords * host.FlashToRam;
            var exposed = Math.Max(0, copy + code.CyclesFromFlash - launch.ArrayBefore);
            if (launch.Code >= 0)
            {
                ofCode[launch.Code] += Math.Min(exposed, Math.Max(0, code.CyclesFromFlash - code.CyclesFromRam));
            }

            yield return (false, i, launch.ParameterWords, Math.Min(exposed, copy) + (launch.ParameterWords * slot));
        }

        for (var k = 0; k < ofCode.Length; k++)
        {
            yield return (true, k, codes[k].Words, ofCode[k]);
        }
    }
}
