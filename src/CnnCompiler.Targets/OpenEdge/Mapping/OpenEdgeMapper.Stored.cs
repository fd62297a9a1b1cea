using CnnCompiler.Core;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.Kernels;

namespace CnnCompiler.Targets.OpenEdge.Mapping;

/// <summary>A nest that would store a tensor packed, fill its halo, or make the sums that it is stored from, in place of those that write it.</summary>
/// <param name="Tensor">The tensor.</param>
/// <param name="Candidate">Its layout.</param>
/// <param name="Buffer">The buffer that the nest writes, which the program may not have.</param>
/// <param name="Nest">The nest.</param>
public sealed record PackedStore(string Tensor, string Candidate, MappedBuffer Buffer, MappedNest Nest);

/// <content>Tensors that their producer stores packed as their reader takes them (<see cref="StoredForm"/>).</content>
public sealed partial class OpenEdgeMapper
{
    /// <summary>The tensors that lie packed.</summary>
    private readonly Dictionary<string, StoredForm> _stored = new(StringComparer.Ordinal);

    private readonly List<PackedStore> _packedStores = [];
    private readonly Dictionary<string, string> _packedReads = new(StringComparer.Ordinal);

    private static bool IsHalved(string strategy) => strategy is HalvesContractKernel.Strategy or StarKernel.Strategy or StarKernel.PointStrategy;

    /// <summary>The form in which an operator's packed input could be stored, or null where there is none.</summary>
    private StoredForm? FormRead(GconvOperator reader, string strategy, Positions positions) => _layouts.FormsOf(reader.Input.Tensor).Forms.FirstOrDefault(form => form switch
    {
        HalvedForm halves => IsHalved(strategy) && halves.Dimension == HalvedForm.DimensionOf(reader, reader.Input.Index, positions.LineLoop),
        _ => strategy == SlidingKernel.PackedStrategy,
    });

    /// <summary>The form that is chosen for a tensor, where the candidate chosen for its reader reads it so.</summary>
    private StoredForm? FormChosen(string tensor)
    {
        var (reader, forms) = _layouts.FormsOf(tensor);
        var name = _choices.Of(MappingDecision.LayoutKey(tensor));
        if (reader is null || forms.FirstOrDefault(f => f.Candidate.Name == name) is not { } form)
        {
            return null;
        }

        var shape = new OperatorShape(reader, _constants.ContainsKey);
        return shape.Single(LoopKind.Group) is var (_, groups) && shape.Single(LoopKind.OutputParallel) is var (_, channels)
            && ContractionSpreads(reader, shape, groups, channels) is { Count: > 0 } spreads
            && Chosen(OriginalOf(reader.Name), spreads) is var (_, strategy, positions) && FormRead(reader, strategy, positions) == form ? form : null;
    }

    /// <summary>The codes of an operator in the form that is chosen for them; false, with nothing done, where there is none or its sums have no such kernel.</summary>
    private bool MapStored(Contraction contraction)
    {
        var operation = contraction.Operation;
        if (operation.Destination is not null || FormChosen(operation.Name) is not { } form)
        {
            return false;
        }

        var (steps, buffers, constants) = (_steps.Count, _buffers.Keys.ToHashSet(StringComparer.Ordinal), _newConstants.Count);
        _stored.Add(operation.Name, form);
        var buffer = AddBuffer(operation.Name, BufferRole.Activation, form.Layout(operation.Type.Shape.Dimensions));
        _bufferOf.Add(operation.Name, buffer.Name);
        if (buffer.Layout.HaloFill is { } fill)
        {
            FillHalo(buffer, fill, operation.Origin.Value);
        }

        if (MapTiles(contraction with { Stored = form }))
        {
            return true;
        }

        _steps.RemoveRange(steps, _steps.Count - steps);
        _newConstants.RemoveRange(constants, _newConstants.Count - constants);
        foreach (var added in _buffers.Keys.Where(b => !buffers.Contains(b)).ToArray())
        {
            _buffers.Remove(added);
        }

        _bufferOf.Remove(operation.Name);
        _stored.Remove(operation.Name);
        return false;
    }

    /// <summary>The nest that makes packed codes of some channels' sums where they have the short form with one offset; null where there is none.</summary>
    /// <param name="contraction">The operator.</param>
    /// <param name="sums">The sums.</param>
    /// <param name="sumOf">The first channel's sum over a nest's loops.</param>
    /// <param name="first">First channel.</param>
    /// <param name="count">Channels.</param>
    /// <param name="suffix">Suffix of names.</param>
    /// <param name="form">The form.</param>
    /// <param name="buffer">The buffer that is written.</param>
    private MappedNest? StoredCodes(
        Contraction contraction, MappedBuffer sums, Func<LoopMap, AffineExpression> sumOf, int first, int count, string suffix, StoredForm form, string buffer) => form switch
        {
            HalvedForm halves => HalvedCodes(contraction, sums, sumOf, first, count, suffix, halves, buffer),
            QuadForm quads => QuadCodes(contraction, sums, sumOf, first, count, suffix, quads, buffer),
            _ => throw new InvalidOperationException($"no codes are stored as {form.Candidate.Name}"),
        };

    /// <summary>The nest that stores the codes of four channels a word; null where channels aren't the innermost dimension in whole quads, or its code can't follow the positions.</summary>
    private MappedNest? QuadCodes(Contraction contraction, MappedBuffer sums, Func<LoopMap, AffineExpression> sumOf, int first, int count, string suffix, QuadForm form, string buffer)
    {
        var (operation, positions, channels) = (contraction.Operation, contraction.Positions, contraction.Channels.Loop);
        if (contraction.Form is not { } requantize || contraction.Groups.Extent > 1 || channels < 0 || first % LoopMap.Lanes != 0
            || HalvedForm.DimensionOf(operation, operation.OutputIndex, channels) != operation.OutputIndex.Count - 1)
        {
            return null;
        }

        var map = new LoopMap(operation.Loops.Count);
        map.AddQuads(count, channels);
        map.Offset(channels, first);
        AddPositions(map, positions);
        var element = LoopMap.Flatten(operation.OutputIndex, [.. form.Words.Pitch.Select(p => (long)p)], form.Words.Origin, operation.Loops.Count);
        var nest = PackedCodes(contraction, requantize, RequantizeQuadsKernel.Strategy, map, LineGuards(map, positions), new(sums.Name, sumOf(map)), count, suffix, new(buffer, map.Map(element)));
        return RequantizeQuadsKernel.Fits(nest) ? nest : null;
    }

    /// <summary>The nest that makes packed codes of some channels' sums where they have the short form with one offset; null where its code can't follow the positions.</summary>
    /// <param name="contraction">The operator.</param>
    /// <param name="sums">The sums.</param>
    /// <param name="sumOf">The first channel's sum over a nest's loops.</param>
    /// <param name="first">First channel.</param>
    /// <param name="count">Channels.</param>
    /// <param name="suffix">Suffix of names.</param>
    /// <param name="form">The form.</param>
    /// <param name="buffer">The buffer that is written.</param>
    private MappedNest? HalvedCodes(
        Contraction contraction, MappedBuffer sums, Func<LoopMap, AffineExpression> sumOf, int first, int count, string suffix, HalvedForm form, string buffer)
    {
        var (operation, positions) = (contraction.Operation, contraction.Positions);
        var loop = new[] { positions.LineLoop, positions.PixelLoop }.Where(l => l >= 0 && HalvedForm.DimensionOf(operation, operation.OutputIndex, l) == form.Dimension).DefaultIfEmpty(-1).First();

        // sums that lie in halves do so along the same dimension
        if (contraction.Form is not { } requantize || contraction.Groups.Extent > 1 || loop < 0 || operation.Loops[loop].Extent != form.Extent
            || positions.Tile > 0 || (positions.Distance > 0 ? loop != positions.LineLoop : positions.Outer > 1))
        {
            return null;
        }

        var map = new LoopMap(operation.Loops.Count);
        map.AddQuads(count, contraction.Channels.Loop);
        if (contraction.Channels.Loop >= 0)
        {
            map.Offset(contraction.Channels.Loop, first);
        }

        map.Add(NestView.OuterLine, HalvesKernel.Halves, reduced: false, loop, form.Distance);
        map.Add(NestView.Line, loop == positions.LineLoop ? form.Lines : positions.Lines, reduced: false, positions.LineLoop);
        map.Add(NestView.Pixel, loop == positions.PixelLoop ? form.Lines : positions.Pixels, reduced: false, positions.PixelLoop);
        var sum = sumOf(map);
        if (positions.Distance == 0)
        {
            sum = WithHalf(map, sum, form.Distance * sums.Layout.Pitch[loop == positions.LineLoop ? 3 : 4]);
        }

        var element = LoopMap.Flatten(operation.OutputIndex, form.Pitch(operation.Type.Shape.Dimensions), 0, operation.Loops.Count);
        var nest = PackedCodes(contraction, requantize, RequantizeHalvesKernel.Strategy, map, [], new(sums.Name, sum), count, suffix, new(buffer, WithHalf(map, map.Map(element), 1)));
        return RequantizeHalvesKernel.Fits(nest) ? nest : null;
    }

    private MappedNest PackedCodes(
        Contraction contraction, RequantizeForm requantize, string strategy, LoopMap map, IEnumerable<MappedGuard> guards, MappedAccess sum, int count, string suffix, MappedAccess output)
    {
        var operation = contraction.Operation;
        var channel = map.Map(ConstantElement(operation, contraction.ChannelOperand!));
        return new(
            operation.Name + suffix,
            strategy,
            map.Loops,
            [map.ChannelGuard(count), .. guards],
            [sum, .. contraction.Parameters.Concat(contraction.Ranges).Select(p => new MappedAccess(p, channel))],
            output,
            GconvReduction.None,
            new ScalarBinary(ScalarBinaryOperator.Add, new ScalarExtra(0), new ScalarExtra(1)),
            Requantized(new ScalarAccumulator(), requantize)) { Origin = operation.Origin.Value with { Macs = 0 } };
    }

    /// <summary>Notes the nests that would store some channels packed.</summary>
    private void NoteStores(
        Contraction contraction, MappedBuffer sums, Func<LoopMap, AffineExpression> sumOf, int first, int count, string suffix, IReadOnlyList<(MappedBuffer Buffer, MappedNest Nest)> adding)
    {
        var operation = contraction.Operation;
        bool? isShort = null;
        foreach (var form in operation.Destination is null ? _layouts.FormsOf(operation.Name).Forms : [])
        {
            var layout = form.Layout(operation.Type.Shape.Dimensions);
            var buffer = new MappedBuffer($"{operation.Name}.{form.Candidate.Name}", BufferRole.Activation, layout, layout.Elements / layout.Lanes);
            if (StoredCodes(contraction, sums, sumOf, first, count, suffix, form, buffer.Name) is { } nest && (isShort ??= RequantizeHalvesKernel.HasForm(nest, ConstantNamed)) == true)
            {
                var fills = first == 0 && layout.HaloFill is { } fill ? HaloFills(buffer, fill) : [];
                _packedStores.AddRange([
                    .. adding.Select(a => new PackedStore(operation.Name, form.Candidate.Name, a.Buffer, a.Nest)),
                    .. fills.Append(nest).Select(n => new PackedStore(operation.Name, form.Candidate.Name, buffer, n)),
                ]);
            }
        }
    }

    private Core.Tensors.Tensor ConstantNamed(string name) => _newConstants.Find(n => n.Name == name)!.Value;

    /// <summary>An element whose loop over halves has another step.</summary>
    private static AffineExpression WithHalf(LoopMap map, AffineExpression element, long step, string half = NestView.OuterLine) => element with
    {
        Coefficients = map.Loops.Select((l, i) => l.Name == half ? step : element.Coefficients[i]).ToEquatableArray(),
    };
}
