using System.Runtime.InteropServices;
using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Ir.Gconv.Verification;
using CnnCompiler.Ir.Network;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Ir.Gconv;

/// <summary>Checks every <see cref="GconvInvariant"/> of a chain. What it accepts, <see cref="GconvEvaluator"/> can execute.</summary>
public static class GconvVerifier
{
    /// <summary>Most loops of an operator: four kinds for each dimension that a tensor may have.</summary>
    public const int MostLoops = 4 * NetworkLimits.Rank;

    /// <summary>All that is wrong with a chain, in its order; nothing where it is sound.</summary>
    public static IReadOnlyList<Diagnostic> Check(GconvProgram program)
    {
        var diagnostics = new DiagnosticBag();
        new ProgramChecker(program, diagnostics).Check();
        return diagnostics.Diagnostics;
    }

    private sealed class ProgramChecker(GconvProgram program, DiagnosticBag diagnostics)
    {
        // What the steps so far define; null where the type is unusable, so that one fault isn't reported again by each reader.
        private readonly Dictionary<string, TensorType?> _tensors = new(StringComparer.Ordinal);
        private readonly Dictionary<string, List<GconvOperator>> _unjoined = new(StringComparer.Ordinal);
        private readonly HashSet<string> _pieces = new(StringComparer.Ordinal);
        private readonly HashSet<string> _soundPieces = new(StringComparer.Ordinal);
        private long _operations;

        public void Check()
        {
            foreach (var input in program.Inputs)
            {
                Define(input.Name, $"input '{input.Name}'", input.Span.Value, input.Type, usable: NotInside(input.Type, $"input '{input.Name}'", input.Span.Value));
            }

            foreach (var constant in program.Constants)
            {
                var type = new TensorType(constant.Value.Element, constant.Value.Shape);
                Define(constant.Name, $"constant '{constant.Name}'", SourceSpan.None, type, usable: NotInside(type, $"constant '{constant.Name}'", SourceSpan.None));
            }

            var joins = program.Steps.OfType<GconvView>().Where(view => view.Kind == ViewKind.Join).Select(view => view.Name).ToHashSet(StringComparer.Ordinal);
            foreach (var step in program.Steps)
            {
                var usable = step.Match(operation => Operator(operation, joins), View, Softmax, Host);
                if (step is GconvOperator { Destination: not null } piece)
                {
                    DefinePiece(piece, usable);
                }
                else
                {
                    Define(step.Name, NodeText.Of(step), step.Span.Value, step.Type, usable);
                }
            }

            foreach (var piece in program.Steps.OfType<GconvOperator>().Where(step => step.Destination is { } destination && _unjoined.ContainsKey(destination)))
            {
                Report(GconvInvariant.Pieces, piece, $"no later join '{piece.Destination}' lists it");
            }

            if (program.Outputs.Count == 0)
            {
                Report(GconvInvariant.DefinedBeforeUse, "the program", SourceSpan.None, "it has no outputs");
            }

            foreach (var output in program.Outputs)
            {
                if (!_tensors.ContainsKey(output))
                {
                    Report(GconvInvariant.DefinedBeforeUse, "the program", SourceSpan.None, $"its output '{output}' is no tensor");
                }
            }
        }

        private void Define(string name, string node, SourceSpan span, TensorType type, bool usable)
        {
            usable &= CheckName(name, node, span) & CheckType(type, node, span);
            _tensors.TryAdd(name, usable ? type : null);
        }

        private void DefinePiece(GconvOperator piece, bool usable)
        {
            CheckName(piece.Name, NodeText.Of(piece), piece.Span.Value);
            usable &= CheckType(piece.Type, NodeText.Of(piece), piece.Span.Value);
            _pieces.Add(piece.Name);
            (CollectionsMarshal.GetValueRefOrAddDefault(_unjoined, piece.Destination!, out _) ??= []).Add(piece);
            if (usable)
            {
                _soundPieces.Add(piece.Name);
            }
        }

        private bool CheckName(string name, string node, SourceSpan span)
        {
            if (name.Length == 0)
            {
                return Report(GconvInvariant.UniqueNames, node, span, "its name is empty");
            }

            return (!_tensors.ContainsKey(name) && !_pieces.Contains(name)) || Report(GconvInvariant.UniqueNames, node, span, "another tensor has its name");
        }

        // f64 is what values inside a layer are made of; no file has them.
        private bool NotInside(TensorType type, string node, SourceSpan span) =>
            type.Element != ElementType.Float64 || Report(GconvInvariant.TensorTypes, node, span, "its elements are f64, which only results of steps are");

        private bool CheckType(TensorType type, string node, SourceSpan span) => !Enum.IsDefined(type.Element)
            ? Report(GconvInvariant.TensorTypes, node, span, "its element type is unknown")
            : NetworkLimits.Allows(type.Shape) || Report(GconvInvariant.TensorTypes, node, span, $"its shape {type.Shape} is empty or too large");

        private bool Operator(GconvOperator operation, HashSet<string> joins)
        {
            if (operation.Destination is { } destination && !joins.Contains(destination))
            {
                return Report(GconvInvariant.Pieces, operation, $"it writes to '{destination}', which is no join");
            }

            var usable = Tensor(operation, operation.Input.Tensor, out _) & (operation.Kernel is null || Tensor(operation, operation.Kernel.Tensor, out _));
            foreach (var extra in operation.Extra)
            {
                usable &= Tensor(operation, extra.Tensor, out _);
            }

            usable &= CheckType(operation.Type, NodeText.Of(operation), operation.Span.Value);
            if (!usable || !new OperatorChecker(operation, name => _tensors[name]!, diagnostics).Check())
            {
                return false;
            }

            _operations = long.CreateSaturating((Int128)_operations + AffineExpressions.Product(operation.Loops.Select(loop => loop.Extent)));
            return _operations <= NetworkLimits.Operations || Report(GconvInvariant.Loops, operation, "the loops of the program so far make more trips than a network may");
        }

        private bool View(GconvView view) => view.Kind switch
        {
            ViewKind.Reshape => Reshape(view),
            ViewKind.Join => Join(view),
            _ => Report(GconvInvariant.ReshapeSource, view, "its kind is unknown"),
        };

        private bool Reshape(GconvView view)
        {
            if (view.Sources.Count != 1)
            {
                return Report(GconvInvariant.ReshapeSource, view, $"it has {view.Sources.Count} sources");
            }

            if (!Tensor(view, view.Sources[0], out var source) || !NetworkLimits.Allows(view.Type.Shape))
            {
                return false;
            }

            return (source.Element == view.Type.Element && source.Shape.Elements == view.Type.Shape.Elements)
                || Report(GconvInvariant.ReshapeSource, view, $"its source is {source}");
        }

        private bool Join(GconvView view)
        {
            _unjoined.Remove(view.Name, out var written);
            var writers = written is null ? [] : written.Select(piece => piece.Name).ToArray();
            if (writers.Length == 0 || !writers.SequenceEqual(view.Sources, StringComparer.Ordinal))
            {
                return Report(GconvInvariant.Pieces, view, $"it lists [{string.Join(", ", view.Sources)}], but [{string.Join(", ", writers)}] write it before");
            }

            var pieces = new List<PieceBox>();
            foreach (var piece in written!)
            {
                if (!_soundPieces.Contains(piece.Name))
                {
                    return false;
                }

                if (piece.Type.Element != view.Type.Element || piece.Type.Shape.Rank != view.Type.Shape.Rank)
                {
                    return Report(GconvInvariant.Pieces, view, $"its piece '{piece.Name}' is {piece.Type}");
                }

                pieces.Add(PieceBox.Of(piece));
            }

            return !NetworkLimits.Allows(view.Type.Shape) || PieceBox.Uncovered(pieces, view.Type.Shape) is not { } problem
                || Report(GconvInvariant.JoinCoverage, view, problem);
        }

        private bool Softmax(GconvHostSoftmax softmax)
        {
            if (!Tensor(softmax, softmax.Source, out var source))
            {
                return false;
            }

            return (source.Element == ElementType.Int8 && softmax.Type.Element == ElementType.Int8 && source.Shape == softmax.Type.Shape && source.Shape.Rank >= 1
                    && softmax.LeftShift is >= 0 and <= 31)
                || Report(GconvInvariant.SoftmaxOperands, softmax, $"it reads {source} and shifts by {softmax.LeftShift}");
        }

        private bool Host(GconvHostLayer host)
        {
            var layer = host.Layer;
            if (layer.Name != host.Name || layer.Type != host.Type)
            {
                return Report(GconvInvariant.HostLayer, host, $"its layer is '{layer.Name}' of type {layer.Type}");
            }

            var operands = new List<TensorType>();
            foreach (var name in layer.Inputs)
            {
                if (!Tensor(host, name, out var type))
                {
                    return false;
                }

                operands.Add(type);
            }

            return HostLayers.Problem(layer, operands) is not { } problem || Report(GconvInvariant.HostLayer, host, problem);
        }

        private bool Tensor(GconvStep step, string name, out TensorType type)
        {
            type = null!;
            if (_pieces.Contains(name))
            {
                return Report(GconvInvariant.Pieces, step, $"it reads '{name}', a piece of a join");
            }

            if (!_tensors.TryGetValue(name, out var found))
            {
                return Report(GconvInvariant.DefinedBeforeUse, step, $"it reads '{name}', which no input, constant or earlier step defines");
            }

            type = found!;
            return found is not null;
        }

        private bool Report(GconvInvariant invariant, GconvStep step, string problem) => Report(invariant, NodeText.Of(step), step.Span.Value, problem);

        private bool Report(GconvInvariant invariant, string node, SourceSpan span, string problem)
        {
            diagnostics.Report(GconvDiagnostics.InvariantBroken(invariant, node, span, problem));
            return false;
        }
    }
}
