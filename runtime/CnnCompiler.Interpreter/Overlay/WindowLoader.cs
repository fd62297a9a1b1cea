using System.Buffers.Binary;
using CnnCompiler.Image.Overlay;
using CnnCompiler.Image.Systolic;

namespace CnnCompiler.Interpreter.Overlay;

/// <summary>Gathers and transforms windows of a tensor: the layout transformation and linear transform units.</summary>
internal sealed class WindowLoader
{
    private readonly OverlayWindow _window;
    private readonly byte[] _memory;
    private readonly int _source;
    private readonly int[] _offsets;
    private readonly int[] _data;
    private readonly int[] _half;
    private readonly bool[] _touched;

    public WindowLoader(OverlayWindow window, byte[] memory, int source)
    {
        (_window, _memory, _source) = (window, memory, source);
        _offsets = new int[window.Points];
        _data = new int[window.Points];
        _half = new int[window.Points];
        _touched = new bool[window.Batch * window.Rows.Input];
    }

    /// <summary>Elements that a tile has in the form: points, rounds and channels of a group.</summary>
    public int TileElements => _window.Points * Terms;

    /// <summary>Rows of the input read since the last call of <see cref="Forget"/>.</summary>
    public IEnumerable<int> Touched => Enumerable.Range(0, _touched.Length).Where(row => _touched[row]);

    private int Terms => _window.Rounds.Count * _window.GroupChannels;

    /// <summary>Forgets which rows were read.</summary>
    public void Forget() => Array.Clear(_touched);

    /// <summary>The form of some rows of tiles of a group: [points, tiles, terms].</summary>
    public void Load(int group, int firstRow, int rows, Span<short> form)
    {
        var tiles = rows * _window.Columns.Tiles;
        for (var row = 0; row < rows; row++)
        {
            var (image, tileRow) = Math.DivRem(firstRow + row, _window.Rows.Tiles);
            for (var tileColumn = 0; tileColumn < _window.Columns.Tiles; tileColumn++)
            {
                var tile = (row * _window.Columns.Tiles) + tileColumn;
                for (var round = 0; round < _window.Rounds.Count; round++)
                {
                    Place(image, tileRow, tileColumn, _window.Rounds[round], group);
                    Transform(form, (tile * Terms) + (round * _window.GroupChannels), tiles * Terms);
                }
            }
        }
    }

    /// <summary>Where the window's elements lie; -1 for outside.</summary>
    private void Place(int image, int tileRow, int tileColumn, OverlayRound round, int group)
    {
        var (rows, columns) = (_window.Rows, _window.Columns);
        for (var i = 0; i < rows.Points; i++)
        {
            var y = (long)rows.Step * ((tileRow * (long)rows.Tile) + i) + round.Row;
            for (var j = 0; j < columns.Points; j++)
            {
                var x = (long)columns.Step * ((tileColumn * (long)columns.Tile) + j) + round.Column;
                var inside = y >= 0 && y < rows.Input && x >= 0 && x < columns.Input;
                _offsets[(i * columns.Points) + j] = inside
                    ? _source + (int)((((((image * (long)rows.Input) + y) * columns.Input) + x) * _window.Channels) + (group * (long)_window.GroupChannels))
                    : -1;
                if (inside)
                {
                    _touched[(image * rows.Input) + (int)y] = true;
                }
            }
        }
    }

    private void Transform(Span<short> form, int at, int pointStride)
    {
        if (_window.Points == 1)
        {
            for (var channel = 0; channel < _window.GroupChannels; channel++)
            {
                form[at + channel] = (short)(_offsets[0] < 0 ? _window.Fill : (sbyte)_memory[_offsets[0] + channel]);
            }

            return;
        }

        var (high, wide) = (_window.Rows.Points, _window.Columns.Points);
        for (var channel = 0; channel < _window.GroupChannels; channel++)
        {
            for (var i = 0; i < _data.Length; i++)
            {
                _data[i] = _offsets[i] < 0 ? _window.Fill : (sbyte)_memory[_offsets[i] + channel];
            }

            for (var p = 0; p < high; p++)
            {
                for (var j = 0; j < wide; j++)
                {
                    var sum = 0;
                    for (var i = 0; i < high; i++)
                    {
                        sum += _window.Rows.InputMatrix[(p * high) + i] * _data[(i * wide) + j];
                    }

                    _half[(p * wide) + j] = sum;
                }
            }

            for (var p = 0; p < high; p++)
            {
                for (var q = 0; q < wide; q++)
                {
                    var sum = 0;
                    for (var j = 0; j < wide; j++)
                    {
                        sum += _window.Columns.InputMatrix[(q * wide) + j] * _half[(p * wide) + j];
                    }

                    form[(((p * wide) + q) * pointStride) + at + channel] = (short)sum;
                }
            }
        }
    }

    /// <summary>The channels of a group at a position of the output, plain; false where the round lies outside the input there.</summary>
    public bool Take(OverlayRound round, int group, int image, int row, int column, Span<short> channels)
    {
        var (y, x) = (((long)_window.Rows.Step * row) + round.Row, ((long)_window.Columns.Step * column) + round.Column);
        if (y < 0 || y >= _window.Rows.Input || x < 0 || x >= _window.Columns.Input)
        {
            return false;
        }

        var place = (image * _window.Rows.Input) + (int)y;
        _touched[place] = true;
        var from = _source + (((((long)place * _window.Columns.Input) + x) * _window.Channels) + (group * (long)_window.GroupChannels));
        for (var channel = 0; channel < channels.Length; channel++)
        {
            channels[channel] = (sbyte)_memory[from + channel];
        }

        return true;
    }

    /// <summary>Reads a part of a form that lies in memory: [points, groups, tiles, terms], of which some tiles of a point and group. Where it lies.</summary>
    public static long Read(OverlayWindow window, byte[] memory, int address, int point, int group, int firstTile, Span<short> form)
    {
        var terms = window.Rounds.Count * window.GroupChannels;
        var all = (long)window.TileRows * window.Columns.Tiles;
        var size = window.Element.Size();
        var from = address + ((((((point * (long)window.Groups) + group) * all) + firstTile) * terms) * size);
        for (var i = 0; i < form.Length; i++)
        {
            form[i] = size == 1 ? (sbyte)memory[from + i] : BinaryPrimitives.ReadInt16LittleEndian(memory.AsSpan((int)(from + (2L * i))));
        }

        return from;
    }

    /// <summary>Writes tiles of a group to a form in memory.</summary>
    public static void Write(OverlayWindow window, byte[] memory, int address, int group, int firstTile, int tiles, ReadOnlySpan<short> form)
    {
        var terms = window.Rounds.Count * window.GroupChannels;
        var all = (long)window.TileRows * window.Columns.Tiles;
        var size = window.Element.Size();
        for (var point = 0; point < window.Points; point++)
        {
            var to = address + ((((((point * (long)window.Groups) + group) * all) + firstTile) * terms) * size);
            for (var i = 0; i < tiles * terms; i++)
            {
                var value = form[(point * tiles * terms) + i];
                if (size == 1)
                {
                    memory[to + i] = (byte)value;
                }
                else
                {
                    BinaryPrimitives.WriteInt16LittleEndian(memory.AsSpan((int)(to + (2L * i))), value);
                }
            }
        }
    }
}
