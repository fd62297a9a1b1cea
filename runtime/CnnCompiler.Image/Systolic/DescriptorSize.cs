namespace CnnCompiler.Image.Systolic;

/// <summary>How much room descriptors take, in bytes.</summary>
/// <param name="Words">As they lie in an image: 32 bits a field.</param>
/// <param name="Packed">With so many bytes a field as its value needs, seven bits a byte: what a decoder in hardware would read.</param>
public readonly record struct DescriptorSize(long Words, long Packed)
{
    /// <summary>The room of a step.</summary>
    public static DescriptorSize Of(SystolicStep step)
    {
        var counter = new FieldCounter();
        _ = new SystolicFields(counter).Step(step);
        return new(counter.Words * sizeof(int), counter.Packed);
    }

    /// <summary>Bytes of a number with seven bits each; negative ones are folded between the others.</summary>
    public static int PackedBytes(long value)
    {
        var bytes = 1;
        for (var rest = (ulong)((value << 1) ^ (value >> 63)) >> 7; rest != 0; rest >>= 7)
        {
            bytes++;
        }

        return bytes;
    }

    /// <summary>Adds the room of two.</summary>
    public static DescriptorSize operator +(DescriptorSize left, DescriptorSize right) => new(left.Words + right.Words, left.Packed + right.Packed);

    private sealed class FieldCounter : FieldCodec
    {
        public long Words { get; private set; }

        public long Packed { get; private set; }

        public override int Int(string name, int value, long low, long high)
        {
            Count(value, 1);
            return value;
        }

        public override long Long(string name, long value)
        {
            Count(value, 2);
            return value;
        }

        public override T Code<T>(string name, T value)
        {
            Count(0, 1);
            return value;
        }

        public override IReadOnlyList<T> List<T>(string name, IReadOnlyList<T>? items, int leastBytes, int most, Func<T?, T> item)
            where T : default
        {
            Count(items!.Count, 1);
            foreach (var one in items)
            {
                _ = item(one);
            }

            return items;
        }

        public override T? Optional<T>(string name, T? value, Func<T?, T> fields)
            where T : class
        {
            Count(0, 1);
            return value is null ? null : fields(value);
        }

        public override T Group<T>(string name, Func<T> fields) => fields();

        private void Count(long value, int words)
        {
            Words += words;
            Packed += PackedBytes(value);
        }
    }
}
