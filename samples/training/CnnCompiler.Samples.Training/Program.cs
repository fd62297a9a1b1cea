// Trains samples/lenet5.npz and draws samples/digits/*.npy:
//     dotnet run -c Release --project samples/training/CnnCompiler.Samples.Training -- samples
// One thread, about a minute; the result is the same on every machine.
using System.Globalization;
using CnnCompiler.Core.Numpy;
using CnnCompiler.Core.Tensors;
using CnnCompiler.Samples.Digits;
using CnnCompiler.Samples.Training;

const int steps = 16_000;
const int report = 1_000;
const int calibrationDigits = 2_000;
const int heldOutDigits = 10_000;
const float peakRate = 0.002f;
const int warmUp = 200;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
if (args.Length != 1 || !Directory.Exists(args[0]))
{
    Console.Error.WriteLine("usage: CnnCompiler.Samples.Training FOLDER    (writes lenet5.npz and digits/*.npy there)");
    return 2;
}

var network = new LeNet5(new SplitMix64(5));
var digits = new Digit[LeNet5.Batch];
var right = 0;
for (var step = 1; step <= steps; step++)
{
    Draw(DigitSet.Training, (step - 1) * digits.Length, digits);
    var rate = peakRate * Math.Min((float)step / warmUp, (float)(steps - step + 1) / steps);
    right += network.Learn(digits, rate, step);
    if (step % report == 0)
    {
        Console.WriteLine($"{step * digits.Length} digits seen, {100.0 * right / (report * digits.Length):F2} % of the last {report * digits.Length} recognised before learning them");
        right = 0;
    }
}

for (var first = 0; first < heldOutDigits; first += LeNet5.Lanes)
{
    var eight = digits.AsSpan(0, LeNet5.Lanes);
    Draw(DigitSet.HeldOut, first, eight);
    network.Forward(eight);
    right += network.Recognised(eight);
}

Console.WriteLine($"float32: {100.0 * right / heldOutDigits:F2} % of {heldOutDigits} held-out digits");
File.WriteAllBytes(Path.Combine(args[0], "lenet5.npz"), NpzFile.Write(Quantizer.Quantize(network, calibrationDigits)));
Directory.CreateDirectory(Path.Combine(args[0], "digits"));
for (var label = 0; label < 10; label++)
{
    var codes = DigitGenerator.Example(label).ToCodes();
    var tensor = Tensor.From<sbyte>(ElementType.Int8, Shape.Of(1, Digit.Size, Digit.Size, 1), codes);
    File.WriteAllBytes(Path.Combine(args[0], "digits", $"{label}.npy"), NpyFile.Write(tensor));
}

return 0;

static void Draw(DigitSet set, int first, Span<Digit> digits)
{
    for (var i = 0; i < digits.Length; i++)
    {
        digits[i] = DigitGenerator.Generate(set, first + i);
    }
}
