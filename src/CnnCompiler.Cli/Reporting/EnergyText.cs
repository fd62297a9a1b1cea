using System.Globalization;
using CnnCompiler.Interpreter.OpenEdge;

namespace CnnCompiler.Cli.Reporting;

/// <summary>Energies for people.</summary>
internal static class EnergyText
{
    private const double FemtojoulesOfMicrojoule = 1e9;

    /// <summary>Femtojoules in microjoules.</summary>
    public static string Microjoules(long femtojoules) => (femtojoules / FemtojoulesOfMicrojoule).ToString("N2", CultureInfo.InvariantCulture);

    /// <summary>Where an energy goes.</summary>
    public static string Parts(ArrayEnergy energy) =>
        $"{Microjoules(energy.Operations)} operations + {Microjoules(energy.Waiting)} waiting cells + {Microjoules(energy.Ram)} RAM + {Microjoules(energy.Loading)} flash and context memory + {Microjoules(energy.Host)} host";
}
