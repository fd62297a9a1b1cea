using CnnCompiler.Image.Nests;

namespace CnnCompiler.Interpreter.Nests;

/// <summary>
/// Runs nests that hand tiles over to each other: the last one tile by tile, and before each tile of a nest the one before it so far that what the tile reads is there (<see cref="NestHandover"/>). What
/// nobody waited for comes at the end. A nest alone just runs.
/// </summary>
internal sealed class NestsInTurn
{
    private readonly NestUnit[] _units;
    private readonly NestHandover[] _handovers;
    private readonly long[][] _targets;

    /// <summary>Prepares the nests.</summary>
    /// <param name="nests">The nests, which have been checked.</param>
    /// <param name="units">A unit for each.</param>
    public NestsInTurn(IReadOnlyList<NestStep> nests, NestUnit[] units)
    {
        _units = units;
        _handovers = new NestHandover[Math.Max(0, nests.Count - 1)];
        for (var i = 0; i < _handovers.Length; i++)
        {
            _handovers[i] = NestHandover.Of(nests[i], nests[i + 1]).Handover ?? throw new InvalidOperationException("an image has steps in turn that its reader refuses");
        }

        _targets = [.. _handovers.Select(handover => new long[handover.Depth])];
    }

    /// <summary>Runs them to the end.</summary>
    public void Run()
    {
        for (var i = _units.Length - 1; i >= 0; i--)
        {
            while (!_units[i].IsDone)
            {
                RunTile(i);
            }
        }
    }

    private void RunTile(int unit)
    {
        if (unit > 0)
        {
            var target = _targets[unit - 1];
            _handovers[unit - 1].Target(_units[unit].Next, target);
            while (_units[unit - 1].IsUpTo(target))
            {
                RunTile(unit - 1);
            }
        }

        _units[unit].RunTile();
    }
}
