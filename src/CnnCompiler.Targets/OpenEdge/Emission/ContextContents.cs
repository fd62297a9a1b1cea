using CnnCompiler.Image.OpenEdge;

namespace CnnCompiler.Targets.OpenEdge.Emission;

/// <summary>What context memory holds from its first word on, as far as kernels were loaded.</summary>
/// <param name="rows">Row banks.</param>
internal sealed class ContextContents(int rows)
{
    private readonly uint?[,] _words = new uint?[rows, OpenEdgeContextMemory.BankWords];

    /// <summary>A word; null before the first kernel that has it.</summary>
    public uint? Word(int row, int word) => _words[row, word];

    /// <summary>A kernel was loaded.</summary>
    public void Load(IReadOnlyList<IReadOnlyList<uint>> kernel)
    {
        for (var row = 0; row < kernel.Count; row++)
        {
            for (var word = 0; word < kernel[row].Count; word++)
            {
                _words[row, word] = kernel[row][word];
            }
        }
    }
}
