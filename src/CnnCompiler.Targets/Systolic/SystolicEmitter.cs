using System.Runtime.InteropServices;
using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Image.Container;
using CnnCompiler.Image.Systolic;
using CnnCompiler.Ir.Gconv;
using CnnCompiler.Ir.Network;
using CnnCompiler.Passes.Memory;
using CnnCompiler.Primitives.Diagnostics;
using CnnCompiler.Targets.Overlay;

namespace CnnCompiler.Targets.Systolic;

/// <summary>Makes an image of a mapped program: addresses, descriptors, constants.</summary>
internal sealed class SystolicEmitter
{
    private readonly SystolicModule _module;
    private readonly ChainTensors _tensors;
    private readonly Dictionary<string, string> _storage = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _addresses = new(StringComparer.Ordinal);
    private readonly List<LayerInfo> _layers = [];
    private readonly Dictionary<string, int> _layerOf = new(StringComparer.Ordinal);
    private readonly List<CollapseDepth> _depths = [];
    private readonly Dictionary<string, OverlayPlan> _conversions;
    private readonly Dictionary<string, long> _forms;
    private IReadOnlyList<PlannedRange> _ranges = [];

    private SystolicEmitter(SystolicModule module)
    {
        _module = module;
        _conversions = module.Conversions.ToDictionary(plan => plan.Operator, StringComparer.Ordinal);
        _forms = module.Conversions.Where(plan => plan.Transforms).ToDictionary(plan => plan.Stored!, plan => plan.Window.Bytes, StringComparer.Ordinal);
        _tensors = new(WithConversions(module));
        foreach (var name in module.Program.Inputs.Select(input => input.Name).Concat(_tensors.Constants.Keys).Concat(module.Conversions.Where(plan => plan.Transforms).Select(plan => plan.Stored!)))
        {
            _storage[name] = name;
        }

        foreach (var step in module.Program.Steps)
        {
            _storage[step.Name] = step.Match(
                operation => operation.Destination ?? operation.Name,
                view => view.Kind == ViewKind.Reshape ? _storage[view.Sources[0]] : view.Name,
                softmax => softmax.Name,
                host => host.Name);
        }
    }

    /// <summary>The image, or null after reporting what exceeds the machine.</summary>
    public static SystolicImageModule? Emit(SystolicModule module, DiagnosticBag diagnostics)
    {
        var emitter = new SystolicEmitter(module);
        if (!emitter.Place(diagnostics))
        {
            return null;
        }

        var program = module.Program;
        var steps = emitter.Steps();
        var machine = module.Machine;
        var configurations = emitter._depths.Select(depth => SystolicConfiguration.Of(machine.Rows, machine.Columns, depth.Horizontal, depth.Vertical)).ToList();
        var image = new CnnImage(
            machine,
            [],
            emitter.Constants(),
            default,
            [.. program.Inputs.Select(input => emitter.Describe(input.Name, input.Type))],
            [.. program.Outputs.Select(output => emitter.Describe(output, emitter.TypeOf(output)))],
            emitter._layers,
            [],
            [],
            [.. emitter._storage.Where(entry => entry.Key == entry.Value).Select(entry => new Symbol(entry.Key, emitter._addresses[entry.Key], (int)emitter.Bytes(entry.Key)))])
        {
            Systolic = new(configurations, steps),
        };
        var last = Math.Max(0, emitter._layers.Count - 1);
        var layers = Executed(program).Select(emitter.LayerIndex).ToArray();
        return new(image, module)
        {
            Memory = [.. emitter._ranges.Select(range => new MemoryRange(
                range.Name, emitter._addresses[range.Name], range.Bytes, layers.ElementAtOrDefault(range.FirstStep), range.LastStep < layers.Length ? layers[range.LastStep] : last))],
        };
    }

    /// <summary>Steps of the chain that are steps of the image, in order: all but views.</summary>
    public static IEnumerable<GconvStep> Executed(GconvProgram program) => program.Steps.Where(step => step is not GconvView);

    private List<SystolicStep> Steps()
    {
        var plans = _module.Plans.ToDictionary(plan => plan.Operator, StringComparer.Ordinal);
        var nests = _module.Nests.ToDictionary(nest => nest.Operator, StringComparer.Ordinal);
        var builder = new DescriptorBuilder(_tensors.Shape, _tensors.Element, AddressOf);
        return [.. Executed(_module.Program).SelectMany(step => step.Match<SystolicStep[]>(
            operation => _conversions.TryGetValue(operation.Name, out var conversion)
                ? conversion.Encode(builder, LayerOf(operation), AddressOf)
                : nests.TryGetValue(operation.Name, out var nest) ? [nest.Encode(builder.Build(operation, LayerOf(operation), null), _module.Machine)]
                : [builder.Build(operation, LayerOf(operation), plans.GetValueOrDefault(operation.Name)?.Encode(ConfigurationOf))],
            _ => throw new InvalidOperationException("a view is no step"),
            softmax =>
            [
                new SystolicSoftmax(
                    LayerOf(softmax),
                    AddressOf(softmax.Source),
                    AddressOf(softmax.Name),
                    (int)(softmax.Type.Shape.Elements / softmax.Type.Shape.Dimensions[^1]),
                    softmax.Type.Shape.Dimensions[^1],
                    softmax.Multiplier,
                    softmax.LeftShift,
                    softmax.DiffMin),
            ],
            host => [Host(host)]))];
    }

    /// <summary>The program with the constants that convolutions on an overlay read and without those that only they replaced, and the forms that inputs are stored in.</summary>
    private static GconvProgram WithConversions(SystolicModule module)
    {
        if (module.Conversions.Count == 0)
        {
            return module.Program;
        }

        var replaced = module.Conversions.Select(plan => plan.Operator).ToHashSet(StringComparer.Ordinal);
        var read = module.Program.Steps.OfType<GconvOperator>()
            .SelectMany(step => step.Extra.Concat(replaced.Contains(step.Name) || step.Kernel is null ? [] : [step.Kernel]).Concat(replaced.Contains(step.Name) ? [] : [step.Input]))
            .Select(access => access.Tensor)
            .Concat(module.Program.Steps.OfType<GconvHostLayer>().SelectMany(step => step.Layer.Inputs))
            .Concat(module.Program.Steps.OfType<GconvHostSoftmax>().Select(step => step.Source))
            .Concat(module.Program.Steps.OfType<GconvView>().SelectMany(step => step.Sources))
            .Concat(module.Program.Outputs)
            .ToHashSet(StringComparer.Ordinal);
        return module.Program with
        {
            Constants = module.Program.Constants.Where(constant => read.Contains(constant.Name)).Concat(module.Conversions.SelectMany(plan => plan.Constants)).ToEquatableArray(),
        };
    }

    private SystolicHostStep Host(GconvHostLayer host)
    {
        var operands = host.Layer.Inputs;
        return new(
            LayerOf(host),
            HostLayers.FunctionOf(host.Layer, [.. operands.Select(TypeOf)]),
            AddressOf(operands[0]),
            operands.Count > 1 ? AddressOf(operands[1]) : 0,
            AddressOf(host.Name));
    }

    /// <summary>Constants lie at the bottom for the whole run, values behind them for as long as they live.</summary>
    private bool Place(DiagnosticBag diagnostics)
    {
        const int alignment = 64;
        var steps = Executed(_module.Program).ToList();
        var lives = new Dictionary<string, (int First, int Last)>(StringComparer.Ordinal);
        var nests = _module.Nests.ToDictionary(nest => nest.Operator, nest => nest.Chip, StringComparer.Ordinal);
        var (first, last) = (0, -1);
        for (var i = 0; i < steps.Count; i++)
        {
            // operators that hand tiles over to each other run in turn: whatever one of them needs lives as long as any of them runs
            if (i > last)
            {
                (first, last) = (i, i);
                while (last + 1 < steps.Count && nests.GetValueOrDefault(steps[last].Name) is { OutputWindow: not null })
                {
                    last++;
                }
            }

            foreach (var name in steps[i].Match(
                operation => _conversions.TryGetValue(operation.Name, out var conversion)
                    ? [.. conversion.Reads, .. operation.Extra.Select(access => access.Tensor), operation.Name]
                    : operation.Extra.Append(operation.Input).Concat(operation.Kernel is { } kernel ? [kernel] : []).Select(access => access.Tensor).Append(operation.Name).ToList(),
                _ => [],
                softmax => [softmax.Source, softmax.Name],
                host => [.. host.Layer.Inputs, host.Name]))
            {
                var storage = _storage[name];
                lives[storage] = lives.TryGetValue(storage, out var life) ? (life.First, last) : (first, last);
            }
        }

        foreach (var input in _module.Program.Inputs)
        {
            lives[input.Name] = (0, lives.GetValueOrDefault(input.Name).Last);
        }

        foreach (var name in _module.Program.Outputs.Concat(_tensors.Constants.Keys))
        {
            var storage = _storage[name];
            lives[storage] = (_tensors.Constants.ContainsKey(storage) ? 0 : lives.GetValueOrDefault(storage).First, Math.Max(0, steps.Count - 1));
        }

        var ranges = lives.OrderBy(life => life.Key, StringComparer.Ordinal).Select(life => new PlannedRange(life.Key, (Bytes(life.Key) + 3) / 4 * 4, life.Value.First, life.Value.Last, alignment)).ToList();
        var ram = _module.Machine.Ram;
        var result = MemoryPlanner.Plan(ranges, ram.Bytes - ram.ReservedBytes, ram.ReservedBytes, "DRAM", step => $"layer {steps[step].Origin.Value.Layer}");
        diagnostics.Report(result.Diagnostics);
        if (result.Plan is not { } plan)
        {
            return false;
        }

        diagnostics.Report(MemoryPlanChecker.Check(ranges, plan, ram.Bytes - ram.ReservedBytes, ram.ReservedBytes));
        _ranges = ranges;
        foreach (var range in ranges)
        {
            _addresses[range.Name] = (int)plan.AddressOf(range.Name);
        }

        // what nothing reads or writes has an address too: an input that the network ignores
        foreach (var name in _storage.Values.Where(name => !_addresses.ContainsKey(name)).Distinct(StringComparer.Ordinal).ToList())
        {
            _addresses[name] = ram.ReservedBytes;
        }

        return !diagnostics.HasErrors;
    }

    private List<RamBlock> Constants()
    {
        var blocks = new List<RamBlock>();
        foreach (var (name, value) in _tensors.Constants.OrderBy(constant => _addresses[constant.Key]))
        {
            var words = new uint[(value.Bytes.Length + 3) / 4];
            value.Bytes.CopyTo(MemoryMarshal.AsBytes(words.AsSpan()));
            if (words.Length > 0)
            {
                blocks.Add(new(_addresses[name], words));
            }
        }

        return blocks;
    }

    private TensorType TypeOf(string name) =>
        _module.Program.Steps.FirstOrDefault(step => step.Name == name)?.Type
        ?? _module.Program.Inputs.FirstOrDefault(input => input.Name == name)?.Type
        ?? new(_tensors.Element(name), _tensors.Shape(name));

    private TensorDescriptor Describe(string name, TensorType type) => new(
        name,
        [.. type.Shape.Dimensions],
        type.Element switch
        {
            ElementType.Int8 => ImageElementType.Int8,
            ElementType.Int32 => ImageElementType.Int32,
            ElementType.UInt8 => ImageElementType.UInt8,
            ElementType.Int16 => ImageElementType.Int16,
            ElementType.Int64 => ImageElementType.Int64,
            ElementType.Float32 => ImageElementType.Float32,
            _ => throw new DiagnosticException(SystolicDiagnostics.EdgeType(name, type.Element.Name())),
        },
        type.Quantization?.Scale ?? 1,
        type.Quantization?.ZeroPoint ?? 0,
        AddressOf(name));

    private int AddressOf(string name) => _addresses[_storage[name]];

    private long Bytes(string name) => _forms.TryGetValue(name, out var bytes) ? bytes : _tensors.Shape(name).Elements * _tensors.Element(name).Size();

    private int ConfigurationOf(CollapseDepth depth)
    {
        if (!_depths.Contains(depth))
        {
            _depths.Add(depth);
        }

        return _depths.IndexOf(depth);
    }

    private int LayerIndex(GconvStep step) => _layerOf[step.Origin.Value.Layer];

    private int LayerOf(GconvStep step)
    {
        var origin = step.Origin.Value;
        if (!_layerOf.TryGetValue(origin.Layer, out var index))
        {
            index = _layers.Count;
            _layerOf.Add(origin.Layer, index);
            _layers.Add(new(origin.Layer, origin.Keyword, 0));
        }

        _layers[index] = _layers[index] with { Macs = _layers[index].Macs + origin.Macs };
        return index;
    }
}
