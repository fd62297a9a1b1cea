using CnnCompiler.Primitives.Machines;

namespace CnnCompiler.Interpreter.Execution;

/// <summary>
/// The time model of <c>openedge-system.md</c>, all of it: how the host's and the array's cycles add up. Cycle 0 is the first host action.
/// </summary>
/// <remarks>
/// <para>The host does one thing after the other. A launch starts when the host has written its registers, which it begins when the
/// previous launch has ended and its interrupt has been served; it occupies the array from there for D cycles, launch to done.
/// What the host does between a launch and the next wait, launch or softmax runs beside it.</para>
/// <para><b>Interrupt.</b> <c>launchOverhead</c> cycles of host time follow each launch (end to interrupt return) before the host passes a
/// wait: it passes at max(host, array end) + overhead. They are charged when the host next does something, so that a program whose last
/// output word comes from the array does not count them: the total runs to the last output word.</para>
/// <para><b>Loading code</b> may not begin before a running launch has itself finished loading, its first EXEC cycle.</para>
/// <para><b>Shared bus.</b> Every word the host moves while the array runs lengthens that launch by one cycle, which may let further words
/// fall into it. A word counts by the cycle in which its move begins.</para>
/// <para><b>Parts.</b> Array cycles are those in which a launch runs; host cycles inside them are hidden, all others exposed. As the host
/// only ever waits for the array, total = array + exposed.</para>
/// </remarks>
/// <param name="host">Costs.</param>
/// <param name="bus">The bus; only the shared one makes the array wait for the host.</param>
/// <param name="layers">Number of layers.</param>
/// <param name="watch">Called with every stretch of host time; null for none.</param>
internal sealed class HostClock(HostDescription host, BusKind bus, int layers, Action<HostWork>? watch = null)
{
    private readonly LayerTimes[] _layers = new LayerTimes[layers + 1];
    private long _now;
    private long _arrayStart;
    private long _arrayEnd;
    private long _arrayLoaded;
    private int _launchLayer = -1;
    private bool _running;
    private bool _interruptDue;

    /// <summary>Cycle of the last thing that happened.</summary>
    public long Total => Math.Max(_now, _arrayEnd);

    /// <summary>Start and end of the last launch.</summary>
    public (long Start, long End) LastLaunch => (_arrayStart, _arrayEnd);

    /// <summary>Times of a layer; -1 for what belongs to none.</summary>
    public ref readonly LayerTimes Layer(int layer) => ref _layers[layer + 1];

    /// <summary>Waits until the array is idle.</summary>
    public void WaitForArray()
    {
        _now = Math.Max(_now, _arrayEnd);
        _interruptDue |= _running;
        _running = false;
    }

    /// <summary>Writes registers and starts a launch, after <see cref="WaitForArray"/>.</summary>
    /// <param name="layer">Layer.</param>
    /// <param name="registers">Registers written, KERNEL_ID included.</param>
    /// <param name="execFirst">First EXEC cycle X.</param>
    /// <param name="done">Launch to done D.</param>
    public void Launch(int layer, int registers, long execFirst, long done)
    {
        Work(HostActivity.Registers, layer, (long)registers * host.RegisterWrite);
        _arrayStart = _now;
        _arrayLoaded = _now + execFirst;
        _arrayEnd = _now + done;
        _launchLayer = layer;
        _running = true;
        _layers[layer + 1].Array += done;
        _layers[layer + 1].Launches++;
    }

    /// <summary>Writes a kernel into context memory.</summary>
    /// <param name="layer">Layer.</param>
    /// <param name="words">Words: instructions, configuration word and the write after it.</param>
    /// <param name="fromRam">True where they come from RAM, false from flash.</param>
    /// <param name="immediates">Constants that are put into words of context memory from packed RAM.</param>
    public void LoadKernel(int layer, long words, bool fromRam = false, long immediates = 0)
    {
        ServeInterrupt();
        if (_now < _arrayEnd)
        {
            _now = Math.Max(_now, _arrayLoaded);
        }

        Move(HostActivity.LoadKernel, layer, words, fromRam ? host.RamToContext : host.FlashToContext);
        Move(HostActivity.LoadKernel, layer, immediates, host.PatchImmediate);
    }

    /// <summary>Copies from flash to RAM.</summary>
    public void CopyFlash(int layer, long words) => Move(HostActivity.CopyFlash, layer, words, host.FlashToRam);

    /// <summary>Copies from RAM to RAM.</summary>
    public void CopyRam(int layer, long words) => Move(HostActivity.CopyRam, layer, words, host.CopyPerWord);

    /// <summary>Computes softmax, after <see cref="WaitForArray"/>.</summary>
    public void Softmax(int layer, long elements) => Work(HostActivity.Softmax, layer, elements * host.SoftmaxPerElement);

    private void Move(HostActivity activity, int layer, long words, int cyclesPerWord)
    {
        ServeInterrupt();
        if (bus == BusKind.Shared && _now < _arrayEnd && words > 0)
        {
            // Word i begins at now + i * cost and finds the array running while that is below end + i.
            var begun = cyclesPerWord <= 1 ? words : Math.Min(words, (_arrayEnd - _now + cyclesPerWord - 2) / (cyclesPerWord - 1));
            _arrayEnd += begun;
            _layers[_launchLayer + 1].Array += begun;
        }

        Work(activity, layer, words * cyclesPerWord);
    }

    private void Work(HostActivity activity, int layer, long cycles)
    {
        ServeInterrupt();
        if (cycles > 0)
        {
            watch?.Invoke(new(activity, layer, _now, cycles));
        }

        var hidden = Math.Clamp(_arrayEnd - _now, 0, cycles);
        _layers[layer + 1].HiddenHost += hidden;
        _layers[layer + 1].ExposedHost += cycles - hidden;
        _layers[_launchLayer + 1].Beside += hidden;
        _now += cycles;
    }

    private void ServeInterrupt()
    {
        if (_interruptDue)
        {
            _interruptDue = false;
            Work(HostActivity.Interrupt, _launchLayer, host.LaunchOverhead);
        }
    }
}

/// <summary>Sums of one layer.</summary>
internal struct LayerTimes
{
    public long Array;
    public long HiddenHost;
    public long ExposedHost;
    public int Launches;

    /// <summary>Host cycles, of whichever layer, while a launch of this one runs.</summary>
    public long Beside;
}
