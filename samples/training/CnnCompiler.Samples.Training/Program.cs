using CnnCompiler.Samples.Digits;
using CnnCompiler.Samples.Training;

const int steps = 8000;
var network = new LeNet5(new SplitMix64(5));
var digits = new Digit[LeNet5.Batch];
var right = 0;
for (var step = 1; step <= steps; step++)
{
    for (var i = 0; i < digits.Length; i++)
    {
        digits[i] = DigitGenerator.Generate(DigitSet.Training, ((step - 1) * digits.Length) + i);
    }

    // A short warm-up, then down to nothing in a straight line.
    var rate = 0.002f * Math.Min(step / 200f, (steps - step + 1) / (float)steps);
    right += network.Learn(digits, rate, step);
    if (step % 500 == 0)
    {
        Console.WriteLine($"{step * digits.Length} digits, {100.0 * right / (500 * digits.Length):F2} % right before learning them");
        right = 0;
    }
}
