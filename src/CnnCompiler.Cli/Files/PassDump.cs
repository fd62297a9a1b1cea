using System.Globalization;
using System.Text;
using CnnCompiler.Cli.Reporting;
using CnnCompiler.Passes.Infrastructure;
using CnnCompiler.Primitives.Diagnostics;

namespace CnnCompiler.Cli.Files;

/// <summary>The programs of one compilation as files of a folder: <c>00-network.cnnir</c>, <c>01-lower-to-gconv.cnnir</c>, ..., and beside each the lines that its pass changed (<c>.diff</c>).</summary>
internal sealed class PassDump
{
    private readonly CliSession _session;
    private readonly string _folder;
    private string _before = string.Empty;
    private int _number;

    /// <summary>Makes the folder where there is none.</summary>
    /// <exception cref="DiagnosticException">It can't be made.</exception>
    public PassDump(CliSession session, string folder)
    {
        (_session, _folder) = (session, folder);
        session.Files.MakeFolder(folder);
    }

    /// <summary>Writes the program that a pass, or a front end, made.</summary>
    public void Add(string maker, IrModule module)
    {
        var text = module.Text();
        var name = Path.Join(_folder, string.Create(CultureInfo.InvariantCulture, $"{_number:00}-{maker}"));
        var isLevel = ModuleText.Levels.Contains(module.Level);
        var file = name + (isLevel ? ".cnnir" : ".txt");
        LevelFiles.Write(_session, file, text);
        if (_number > 0)
        {
            _session.Write(name + ".diff", Encoding.UTF8.GetBytes(LineDifference.Of(_before, text.Text)));
        }

        _before = text.Text;
        _number++;
    }
}
