using System.Globalization;
using CnnCompiler.Core;
using CnnCompiler.Core.Tensors;

namespace CnnCompiler.Ir.Text;

/// <summary>A named constant of the companion.</summary>
/// <param name="Name">Name; unique in the store.</param>
/// <param name="Value">Elements.</param>
public sealed record NamedConstant(string Name, Tensor Value);

/// <summary>The companion of IR text: constants too large to print, by name, in the order of the text. Stored as an <c>.npz</c> beside it.</summary>
public sealed class ConstantStore
{
    private readonly Dictionary<string, Tensor> _byName = new(StringComparer.Ordinal);

    /// <summary>A store of constants with different names; of two with one name the first stays.</summary>
    public ConstantStore(IEnumerable<NamedConstant> constants)
    {
        Constants = constants.Where(constant => _byName.TryAdd(constant.Name, constant.Value)).ToEquatableArray();
    }

    /// <summary>A store without constants.</summary>
    public static ConstantStore Empty { get; } = new([]);

    /// <summary>The constants in the order of the text.</summary>
    public EquatableArray<NamedConstant> Constants { get; }

    /// <summary>A constant, or null.</summary>
    public Tensor? Find(string name) => _byName.GetValueOrDefault(name);
}

/// <summary>Collects the constants of a text while it is printed.</summary>
public sealed class ConstantStoreBuilder
{
    private readonly Dictionary<string, Tensor> _byName = new(StringComparer.Ordinal);
    private readonly List<NamedConstant> _constants = [];

    /// <summary>Adds a constant and returns its name: the preferred one, with a number behind it where another constant has that already.</summary>
    public string Add(string preferredName, Tensor value)
    {
        var name = preferredName;
        for (var number = 2; _byName.TryGetValue(name, out var other); number++)
        {
            if (other.Equals(value))
            {
                return name;
            }

            name = string.Create(CultureInfo.InvariantCulture, $"{preferredName}.{number}");
        }

        _byName.Add(name, value);
        _constants.Add(new(name, value));
        return name;
    }

    /// <summary>The store of what was added.</summary>
    public ConstantStore Build() => new(_constants);
}
