using CnnCompiler.Core.Tensors;
using CnnCompiler.Image.OpenEdge;
using CnnCompiler.Ir.Mapped;
using CnnCompiler.Targets.OpenEdge.ArrayPrograms;
using static CnnCompiler.Targets.OpenEdge.ArrayPrograms.ArrayProgramBuilder;

namespace CnnCompiler.Targets.OpenEdge.Kernels;

/// <summary>
/// Convolution with two products a multiplication and weights as constants of the code (<c>openedge-int8-kernels.md</c> B): the torus is four stars, a
/// centre and three neighbours each. A centre holds a word of the packed input (<see cref="HalvesKernel"/>) while its neighbours, the three taps along
/// the line, multiply it; two stars share a stream of input and compute two output channels, the other two the same of a second stream. In the
/// multiplication's step one of the two centres of a stream loads the next word, which the other copies while products are added.
/// <para>
/// Each tap adds its products up in two sums whose lanes stay within sixteen bits (<see cref="StarPlan"/>). T is the sum of all words modulo 2^32, H that of the
/// high lanes: the stars of the first stream leave T, those of the second H, and the low sum is T - H * 2^16 (<see cref="StarPlanesKernel"/>). The
/// centres add the taps of neighbouring positions and store.
/// </para>
/// <para>
/// With the other strategy, <see cref="PointStrategy"/>, the three neighbours of a centre are three output channels instead, six in all, and an item is any tap of any
/// channel: there is nothing to add for the centres, each cell stores its own sum while its first product stays in a register. Where lines don't follow each other
/// at the step of positions (a stride), every line is a loop of its own, one position longer.
/// </para>
/// <para>
/// The nest is one pass: operand 0 the packed input over the reduced loops, of which <see cref="DirectKernel.Along"/> runs along the line at the step of its
/// positions; operand 1 the weights; operand 2, over the other reduced loops, is 0 where an item belongs to another pass, else one more than its place,
/// stream * <see cref="StarPlan.MostSlots"/> + slot. All positions are one line: those between the end of a line and the beginning of the next are computed,
/// too. The output is a plane of [position][plane][lane][half], behind three positions that it leaves undefined.
/// </para>
/// </summary>
public sealed class StarKernel : NestKernel
{
    /// <summary>Name of the strategy in mapped programs.</summary>
    public const string Strategy = "stars-cells-are-taps";

    /// <summary>Name of the strategy whose cells are output channels.</summary>
    public const string PointStrategy = "stars-cells-are-channels";

    /// <summary>Taps along the line at most; the neighbours of a centre.</summary>
    public const int Taps = 3;

    /// <summary>Output channels whose sums are added up together.</summary>
    public const int PairChannels = 2;

    private const string Input = "input";
    private const string Sums = "sums";
    private const int LaneBits = 16;

    /// <summary>A star: its centre, the centre that it shares a stream with, the stream, the channel, and for each tap the cell and the step after which its sum is visible.</summary>
    private sealed record Star(Cell Centre, Cell Partner, int Stream, int Channel, Cell[] Leaves, int[] Shows);

    private static readonly Star[] Stars =
    [
        new(new(0, 0), new(3, 0), 0, 0, [new(0, 1), new(1, 0), new(0, 3)], [2, 1, 0]),
        new(new(3, 0), new(0, 0), 0, 1, [new(3, 1), new(2, 0), new(3, 3)], [5, 4, 3]),
        new(new(1, 2), new(2, 2), 1, 0, [new(1, 1), new(1, 3), new(0, 2)], [2, 1, 0]),
        new(new(2, 2), new(1, 2), 1, 1, [new(2, 1), new(2, 3), new(3, 2)], [5, 4, 3]),
    ];

    private readonly bool _isPoint;
    private readonly bool _linesApart;
    private readonly NestView _view;
    private readonly MappedAccess _input;
    private readonly Geometry _geometry;
    private readonly int[][] _order;
    private readonly Tensor _weights;
    private readonly Tensor _places;

    /// <summary>Compiles a nest.</summary>
    public StarKernel(MappedNest nest, IKernelData data)
        : base(nest)
    {
        _isPoint = nest.Kernel == PointStrategy;
        _view = new(nest);
        _input = nest.Operands[0] with { Element = HalvesKernel.Without(nest, nest.Operands[0].Element, HalvesKernel.Halves) };
        _geometry = Geometry.Of(nest);
        _linesApart = _geometry.Lines > 1;
        (_weights, _places) = (data.Constant(nest.Operands[1].Target), data.Constant(nest.Operands[2].Target));
        _order = Order();
    }

    /// <summary>Output channels of a pass.</summary>
    public static int Channels(string strategy) => strategy == PointStrategy ? PairChannels * Taps : PairChannels;

    /// <summary>Words that a pass stores for a position: T and H of each channel.</summary>
    public static int Words(string strategy) => HalvesKernel.Halves * Channels(strategy);

    /// <summary>Positions that are stored before the first one is complete.</summary>
    public static int Ahead(string strategy) => strategy == PointStrategy ? 1 : Taps;

    /// <summary>Slots of a stream at least: centres need so many steps to add up and store.</summary>
    public static int FewestSlots(string strategy) => strategy == PointStrategy ? 3 : 8;

    /// <summary>
    /// The slot with which the first sum of a cell begins, or -1 where it may be any: the sum of the position before is shown or stored instead of adding.
    /// </summary>
    /// <param name="strategy">Strategy.</param>
    /// <param name="cell">Tap of a channel: channel * <see cref="Taps"/> + tap; where cells are channels, the channel.</param>
    public static int FirstSlot(string strategy, int cell) => strategy == PointStrategy ? 0 : Stars[cell / Taps].Shows[cell % Taps] - 1;

    /// <inheritdoc/>
    public override ArrayProgram Program => Build();

    /// <inheritdoc/>
    public override IReadOnlyList<Tensor> CodeConstants => [_weights, _places];

    /// <inheritdoc/>
    public override int Launches => 1;

    /// <inheritdoc/>
    public override bool HasCodeOfItsOwn => true;

    /// <inheritdoc/>
    public override bool StaysInFlash => true;

    /// <inheritdoc/>
    public override int ParameterWords => 0;

    /// <inheritdoc/>
    public override IEnumerable<(string Buffer, int Words)> Extents
    {
        get
        {
            // behind a line the first input of the next position is loaded, and where lines are loops of their own another word
            var behind = NestView.Base(_input) + ((_geometry.Lines - 1) * _view.Step(_input, NestView.Line)) + ((_geometry.Positions + Ahead(Nest.Kernel)) * _view.Step(_input, NestView.Pixel));
            var stored = (_geometry.Lines - 1) * _view.Step(Nest.Output, NestView.Line);
            return
            [
                (_input.Target, behind + _geometry.Offsets.Max() + 1 + (_linesApart ? Math.Max(0, _view.Step(_input, NestView.Line)) : 0)),
                (Nest.Output.Target, NestView.Base(Nest.Output) + stored + (_geometry.Positions * _view.Step(Nest.Output, NestView.Pixel))),
            ];
        }
    }

    /// <summary>Positions that the loop's counter holds.</summary>
    private const int MostPositions = (2 * OpenEdgeInstruction.MaxImmediate) - Taps;

    /// <summary>What of a nest doesn't depend on weights: items and positions.</summary>
    /// <param name="Items">Values of the reduced loops but the one along the line, in order, and their coefficients in an access.</param>
    /// <param name="Offsets">Words of the packed input from the first item to each.</param>
    /// <param name="Lines">Lines that are loops of their own; 1 where all positions are one line.</param>
    /// <param name="Positions">Positions of such a line, those between lines included.</param>
    public sealed record Geometry(IReadOnlyList<int[]> Items, int[] Offsets, int Lines, int Positions)
    {
        /// <summary>The geometry of a nest.</summary>
        public static Geometry Of(MappedNest nest)
        {
            var view = new NestView(nest);
            var input = nest.Operands[0];
            var loops = view.Reduced.Where(l => l.Name != DirectKernel.Along).ToArray();
            int[][] items = [[]];
            foreach (var loop in loops)
            {
                items = [.. items.SelectMany(i => Enumerable.Range(0, loop.Extent).Select(v => i.Append(v).ToArray()))];
            }

            var (lines, pixels) = (view.Extent(NestView.Line), view.Extent(NestView.Pixel));
            var apart = nest.Kernel == PointStrategy && lines > 1
                && (view.Step(input, NestView.Line) % view.Step(input, NestView.Pixel) != 0
                    || view.Step(nest.Output, NestView.Line) != Pitch(view, input) * view.Step(nest.Output, NestView.Pixel));
            int[] steps = [.. loops.Select(l => view.Step(input, l.Name) / HalvesKernel.Halves)];
            return new(
                items,
                [.. items.Select(i => i.Zip(steps, (a, b) => a * b).Sum())],
                apart ? lines : 1,
                apart ? pixels : ((lines - 1) * Pitch(view, input)) + pixels);
        }

        private static int Pitch(NestView view, MappedAccess input) =>
            view.Extent(NestView.Line) == 1 ? view.Extent(NestView.Pixel) : view.Step(input, NestView.Line) / view.Step(input, NestView.Pixel);
    }

    /// <summary>Slots of a stream at most where lines are loops of their own: two steps less.</summary>
    public const int MostSlotsOfLines = StarPlan.MostSlots - 1;

    /// <summary>The way from a line to the next, where lines are loops of their own.</summary>
    /// <param name="lineStep">Words between lines of the input.</param>
    /// <param name="pixelStep">Words between positions.</param>
    /// <param name="lines">Lines.</param>
    /// <param name="pixels">Positions of a line.</param>
    /// <returns>Bytes from the position behind a line to the next line, or null where the code can't count so many.</returns>
    public static int? Back(long lineStep, long pixelStep, int lines, int pixels)
    {
        var back = (lineStep - ((pixels + Ahead(PointStrategy)) * pixelStep)) * NestView.WordBytes;
        return lines <= OpenEdgeInstruction.MaxImmediate && pixels < OpenEdgeInstruction.MaxImmediate && Math.Abs(back) <= 2 * OpenEdgeInstruction.MaxImmediate ? (int)back : null;
    }

    /// <summary>True where the counter holds all positions.</summary>
    public static bool Fits(long positions) => positions <= MostPositions;

    /// <inheritdoc/>
    public override KernelLaunch Launch(int index, int parameters, IKernelData data)
    {
        long At(MappedAccess access, int words) => data.AddressOf(access.Target) + ((NestView.Base(access) + words) * (long)NestView.WordBytes);
        var (read, write) = (new LaunchPointer?[Cell.Side], new LaunchPointer?[Cell.Side]);
        var start = -Ahead(Nest.Kernel) * _view.Step(Nest.Output, NestView.Pixel);
        foreach (var star in Stars.Where(s => s.Channel == 0))
        {
            var column = star.Centre.Column;
            read[column] = new(false, At(_input, new StarWalk(_geometry.Offsets, 0, null).Places(_order[star.Stream])[0]));
            write[column] = new(false, At(Nest.Output, start + star.Stream));
        }

        for (var column = 0; column < Cell.Side && _isPoint; column++)
        {
            write[column] = new(false, At(Nest.Output, start + StoredWords(column)[0].Word));
        }

        return new([], read, write);
    }

    /// <summary>Where cells are channels: the words of a record that a column stores, from the top.</summary>
    private static (Cell Cell, int Word)[] StoredWords(int column) =>
    [
        .. Stars.SelectMany(s => s.Leaves.Select((c, i) => (Cell: c, Word: (((s.Channel * Taps) + i) * HalvesKernel.Halves) + s.Stream)))
            .Where(c => c.Cell.Column == column).OrderBy(c => c.Cell.Row),
    ];

    /// <summary>Items of each stream by slot.</summary>
    private int[][] Order()
    {
        var access = Nest.Operands[2];
        var places = Enumerable.Range(0, _geometry.Items.Count).Select(i => (Item: i, Place: (int)_places.GetInteger(NestView.Base(access) + Dot(access, i)) - 1)).ToArray();
        var slots = Math.Max(FewestSlots(Nest.Kernel), places.Max(p => p.Place % StarPlan.MostSlots) + 1);
        var order = Enumerable.Range(0, StarPlan.Streams).Select(_ => Enumerable.Repeat(-1, slots).ToArray()).ToArray();
        foreach (var (item, place) in places.Where(p => p.Place >= 0))
        {
            order[place / StarPlan.MostSlots][place % StarPlan.MostSlots] = item;
        }

        return order;
    }

    /// <summary>Element of an access at an item.</summary>
    private int Dot(MappedAccess access, int item) =>
        _view.Reduced.Where(l => l.Name != DirectKernel.Along).Select((l, i) => _geometry.Items[item][i] * _view.Step(access, l.Name)).Sum();

    private int Weight(int channel, int tap, int item)
    {
        var access = Nest.Operands[1];
        return item < 0 || channel >= Nest.Guards[0].Bound || tap >= _view.Extent(DirectKernel.Along)
            ? 0
            : (int)_weights.GetInteger(
                NestView.Base(access) + Dot(access, item) + (channel * _view.Step(access, NestView.Lane)) + (tap * _view.Step(access, DirectKernel.Along)));
    }

    /// <summary>A tap of a star: a cell that multiplies.</summary>
    private sealed class Leaf(Cell cell, Star star, int tap, int shows, int[] weights, int bins)
    {
        public int Tap => tap;

        public Cell Cell => cell;

        public Star Star => star;

        /// <summary>The slot after whose multiplication the cell shows its sum of the position before; -1 where it shows it from the beginning.</summary>
        public int Shows => shows;

        public int[] Weights => weights;

        public VirtualRegister Offset { get; } = Register(cell, "offset");

        public VirtualRegister Result { get; } = Register(cell, "result");

        public VirtualRegister First { get; } = Register(cell, "first");

        public VirtualRegister Second { get; } = Register(cell, "second");

        /// <summary>True where the cell keeps T of its channel and tap, false where H.</summary>
        public bool KeepsWhole => star.Stream == 0;

        public bool IsFirst(int slot) => (bins >> slot & 1) != 0;

        public bool Begins(int slot) => Enumerable.Range(0, slot).All(s => IsFirst(s) != IsFirst(slot));
    }

    private ArrayProgram Build()
    {
        var p = new ArrayProgramBuilder(Nest.Kernel);
        var slots = _order[0].Length;
        Leaf[] leaves =
        [
            .. Stars.SelectMany(s => s.Leaves.Select((c, tap) =>
            {
                var (cell, shows) = ((s.Channel * Taps) + tap, FirstSlot(Nest.Kernel, (s.Channel * Taps) + tap));
                int[] weights = [.. _order[s.Stream].Select(i => _isPoint ? Weight(cell, 0, i) : Weight(s.Channel, tap, i))];
                var bins = StarPlan.Bins(weights, shows) ?? throw new ArrayResourceException(Nest.Kernel, "lanes of sixteen bits", 3, 2);
                return new Leaf(c, s, tap, shows, weights, bins);
            })),
        ];
        var step = _view.Step(_input, NestView.Pixel) * NestView.WordBytes;
        int? back = _linesApart ? (_view.Step(_input, NestView.Line) * NestView.WordBytes) - ((_geometry.Positions + Ahead(Nest.Kernel)) * step) : null;
        var walk = new StarWalk([.. _geometry.Offsets.Select(o => o * NestView.WordBytes)], step, back);
        int[][] moves =
            [.. _order.Select(o => walk.Moves(o) ?? throw new ArrayResourceException(Nest.Kernel, "bytes between inputs", step, OpenEdgeInstruction.MaxImmediate))];
        var pitch = _view.Step(Nest.Output, NestView.Pixel) * NestView.WordBytes;
        var (first, second) = (Stars.Where(s => s.Channel == 0).ToArray(), Stars.Where(s => s.Channel != 0).ToArray());
        var counter = Register(second[0].Centre, "positions");
        var (one, two, sum) = (Stars.ToDictionary(s => s, s => Register(s.Centre, "one")), Stars.ToDictionary(s => s, s => Register(s.Centre, "two")), Stars.ToDictionary(s => s, s => Register(s.Centre, "sum")));

        var lines = Register(second[1].Centre, "lines");

        // 2^15 doesn't fit a constant
        p.Block("start");
        var iterations = _geometry.Positions + Ahead(Nest.Kernel);
        p.Step(
        [
            .. leaves.Select(l => Binary(OpenEdgeOpcode.SAdd, l.Cell, ArrayOperand.Zero, ArrayOperand.Immediate, l.Offset, 1)),
            .. first.Select(s => LoadStream(s.Centre, moves[s.Stream][0], null, Input)),
            Binary(OpenEdgeOpcode.SAdd, counter.Cell, ArrayOperand.Zero, ArrayOperand.Immediate, counter, Math.Min(iterations, OpenEdgeInstruction.MaxImmediate)),
        ]);
        p.Step(
        [
            .. leaves.Select(l => Binary(OpenEdgeOpcode.Sll, l.Cell, l.Offset, ArrayOperand.Immediate, l.Offset, LaneBits - 1)),
            Add(counter, counter, Math.Max(0, iterations - OpenEdgeInstruction.MaxImmediate)),
            .. _linesApart ? [Binary(OpenEdgeOpcode.SAdd, lines.Cell, ArrayOperand.Zero, ArrayOperand.Immediate, lines, _geometry.Lines)] : (ArrayOperation[])[],
        ]);

        // stars of a channel exchange halves of what the position before left; the second centres copy what the first ones loaded
        var loop = p.Block("position");
        var shown = leaves.ToDictionary(l => l.Cell, l => Binary(OpenEdgeOpcode.SAdd, l.Cell, l.Result, ArrayOperand.Carried(Other(l).Cell), l.Result));
        var word = second.ToDictionary(s => s.Centre, s => (ArrayOperand)Move(s.Centre, ArrayOperand.Carried(s.Partner)));
        p.Step([.. shown.Values, .. word.Values.Select(w => w.Producer!)]);
        foreach (var star in first)
        {
            word[star.Centre] = ArrayOperand.Carried(star.Centre);
        }

        Leaf Other(Leaf leaf) => leaves.Single(l => l != leaf && l.Star.Channel == leaf.Star.Channel && l.Tap == leaf.Tap);
        for (var slot = 0; slot < slots; slot++)
        {
            // a centre that adds or stores doesn't load
            var firstLoads = slot == slots - 1 || (!_isPoint && slot is 3 or 4 or 5 or 7);
            var (loading, other) = firstLoads ? (first, second) : (second, first);
            var at = slot;
            var products = leaves.ToDictionary(l => l, l => Binary(
                OpenEdgeOpcode.SMul, l.Cell, word[l.Star.Centre], ArrayOperand.Immediate, l.IsFirst(at) && l.Begins(at) ? l.First : null, l.Weights[at]));
            var loads = loading.ToDictionary(s => s, s => LoadStream(s.Centre, moves[s.Stream][(at + 1) % slots], null, Input));
            p.Step([.. products.Values, .. loads.Values, .. other.Select(s => OfCentre(s, at, s.Channel == 0 ? at : at - Taps)).OfType<ArrayOperation>()]);

            var steps = new List<ArrayOperation>();
            foreach (var leaf in leaves)
            {
                var product = products[leaf];
                if (slot == leaf.Shows && _isPoint)
                {
                    var words = StoredWords(leaf.Cell.Column);
                    var place = Array.FindIndex(words, w => w.Cell == leaf.Cell);
                    var next = place + 1 < words.Length ? words[place + 1].Word * NestView.WordBytes : pitch + (words[0].Word * NestView.WordBytes);
                    steps.Add(StoreStream(leaf.Cell, leaf.Result, next - (words[place].Word * NestView.WordBytes), Sums));
                }
                else if (slot == leaf.Shows)
                {
                    shown[leaf.Cell] = Move(leaf.Cell, leaf.Result);
                    steps.Add(shown[leaf.Cell]);
                }
                else if (!leaf.IsFirst(slot))
                {
                    steps.Add(Binary(OpenEdgeOpcode.SAdd, leaf.Cell, leaf.Begins(slot) ? leaf.Offset : leaf.Second, product, leaf.Second));
                }
                else if (!leaf.Begins(slot))
                {
                    steps.Add(Binary(OpenEdgeOpcode.SAdd, leaf.Cell, leaf.First, product, leaf.First));
                }
            }

            foreach (var star in loading)
            {
                word[star.Centre] = loads[star];
                if (slot < slots - 1)
                {
                    var copy = Move(star.Partner, loads[star]);
                    word[star.Partner] = copy;
                    steps.Add(copy);
                }
            }

            p.Step(steps);
        }

        ArrayOperation? OfCentre(Star star, int slot, int turn) => turn switch
        {
            _ when _isPoint => null,
            0 => Binary(OpenEdgeOpcode.SAdd, star.Centre, two[star], shown[star.Leaves[2]], sum[star]),
            1 => Binary(OpenEdgeOpcode.SAdd, star.Centre, one[star], shown[star.Leaves[1]], two[star]),
            2 => Move(star.Centre, shown[star.Leaves[0]], one[star]),
            _ when slot == 6 + star.Channel => StoreStream(
                star.Centre, sum[star], star.Channel == 0 ? PairChannels * NestView.WordBytes : pitch - (PairChannels * NestView.WordBytes), Sums),
            _ => null,
        };

        // the high lane of a + b * 2^16 with a in sixteen bits is (word + 2^15) >> 16; the second sum began with 2^15
        p.Step([.. leaves.Select(l => Binary(OpenEdgeOpcode.SAdd, l.Cell, l.First, l.Offset, l.First)), Add(counter, counter, -1)]);
        ArrayOperation High(Leaf l, VirtualRegister from, VirtualRegister? to) => Binary(OpenEdgeOpcode.Sra, l.Cell, from, ArrayOperand.Immediate, to, LaneBits);
        ArrayOperation Whole(Leaf l, VirtualRegister? to) => Binary(OpenEdgeOpcode.SAdd, l.Cell, l.Second, l.First, to);
        var (wholes, highs) = (leaves.Where(l => l.KeepsWhole).ToArray(), leaves.Where(l => !l.KeepsWhole).ToArray());
        p.Step([.. wholes.Select(l => Whole(l, l.Result)), .. highs.Select(l => High(l, l.First, l.Result))]);
        ArrayOperation[] upper = [.. highs.Select(l => High(l, l.Second, null))];
        p.Step([.. wholes.Select(l => High(l, l.First, l.First)), .. upper]);
        ArrayOperation[] lower = [.. wholes.Select(l => High(l, l.Second, null))];
        p.Step([.. lower, .. highs.Zip(upper, (l, u) => Binary(OpenEdgeOpcode.SAdd, l.Cell, u, l.Result, l.Result))]);
        p.Step(
        [
            .. wholes.Zip(lower, (l, u) => Binary(OpenEdgeOpcode.SAdd, l.Cell, u, l.First)),
            .. highs.Select(l => Whole(l, null)),
            new() { Cell = counter.Cell, Opcode = OpenEdgeOpcode.Bne, A = counter, B = ArrayOperand.Zero, Target = loop },
            .. _linesApart ? [] : (ArrayOperation[])[new() { Cell = lines.Cell, Opcode = OpenEdgeOpcode.Exit }],
        ]);
        if (back is { } toNext)
        {
            // the pointers are behind the first slot of the position behind the line
            p.Block("line");
            p.Step(
            [
                .. first.Select(s => LoadStream(s.Centre, toNext - moves[s.Stream][0], null, Input)),
                Binary(OpenEdgeOpcode.SAdd, counter.Cell, ArrayOperand.Zero, ArrayOperand.Immediate, counter, iterations),
                Add(lines, lines, -1),
            ]);
            p.Step(
            [
                .. first.Select(s => LoadStream(s.Centre, moves[s.Stream][0], null, Input)),
                new() { Cell = lines.Cell, Opcode = OpenEdgeOpcode.Bne, A = lines, B = ArrayOperand.Zero, Target = loop },
                new() { Cell = counter.Cell, Opcode = OpenEdgeOpcode.Exit },
            ]);
        }

        return p.Build();
    }
}
