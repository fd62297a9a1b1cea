using CnnCompiler.Primitives.Machines;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using CnnCompiler.Targets.OpenEdge.Selection;

namespace CnnCompiler.Targets.OpenEdge.Emission;

/// <summary>What the host will do for each layer of an estimated image, for its energy.</summary>
/// <param name="host">Costs in cycles.</param>
internal sealed class EstimatedMoves(HostDescription host)
{
    private readonly Dictionary<int, Moves> _layers = [];
    private readonly List<int> _layerOfLaunch = [];

    /// <summary>The launches of a nest.</summary>
    /// <param name="layer">Its layer.</param>
    /// <param name="launches">How many.</param>
    /// <param name="cycles">Host cycles around all of them.</param>
    public void Begin(int layer, int launches, long cycles)
    {
        _layerOfLaunch.AddRange(Enumerable.Repeat(layer, launches));
        Work(layer, cycles);
    }

    /// <summary>The host works.</summary>
    public void Work(int layer, long cycles) => Of(layer).Work += cycles;

    /// <summary>The array works.</summary>
    public void Array(int layer, long cycles) => Of(layer).Array += cycles;

    /// <summary>A kernel's code is loaded.</summary>
    public void Load(int layer, CodeForm code, bool fromFlash)
    {
        var moves = Of(layer);
        moves.Context += code.ContextWords(Cell.Side);
        moves.Flash += fromFlash ? code.Data.Length : 0;
        moves.Ram += fromFlash ? 0 : code.Data.Length;
        moves.Work += fromFlash ? code.CyclesFromFlash(host) : code.CyclesFromRam(host);
    }

    /// <summary>Parameters of a launch are copied from flash.</summary>
    public void Copy(int launch, int words)
    {
        var moves = Of(_layerOfLaunch[launch]);
        moves.Flash += words;
        moves.Ram += words;
        moves.Work += words * (long)host.FlashToRam;
    }

    /// <summary>Femtojoules of a layer, without what the array does.</summary>
    public long Energy(int layer, long cycles, KernelTimer timer)
    {
        var moves = Of(layer);
        return timer.HostEnergy(cycles, moves.Array, moves.Work, moves.Flash, moves.Ram, moves.Context);
    }

    private Moves Of(int layer)
    {
        if (!_layers.TryGetValue(layer, out var moves))
        {
            _layers.Add(layer, moves = new());
        }

        return moves;
    }

    private sealed class Moves
    {
        public long Array { get; set; }

        public long Work { get; set; }

        public long Flash { get; set; }

        public long Ram { get; set; }

        public long Context { get; set; }
    }
}
