using System.Diagnostics;

namespace CnnCompiler.Image.Container;

/// <summary>The one place that tells host steps apart: a new step breaks every caller at compile time.</summary>
public static class HostStepMatch
{
    /// <summary>Calls the function for the step's kind.</summary>
    public static T Match<T>(
        this HostStep step,
        Func<HostLoadKernel, T> loadKernel,
        Func<HostPatchKernel, T> patchKernel,
        Func<HostCopyFlash, T> copyFlash,
        Func<HostCopyRam, T> copyRam,
        Func<HostLaunch, T> launch,
        Func<HostWait, T> wait,
        Func<HostSoftmax, T> softmax) => step switch
        {
            HostLoadKernel it => loadKernel(it),
            HostPatchKernel it => patchKernel(it),
            HostCopyFlash it => copyFlash(it),
            HostCopyRam it => copyRam(it),
            HostLaunch it => launch(it),
            HostWait it => wait(it),
            HostSoftmax it => softmax(it),
            _ => throw new UnreachableException(),
        };
}

/// <summary>Numbers of the host steps in an image.</summary>
internal enum HostStepCode
{
    LoadKernel = 1,
    CopyFlash = 2,
    CopyRam = 3,
    Launch = 4,
    Wait = 5,
    Softmax = 6,
    LoadKernelFromRam = 7,
    PatchKernel = 8,
}
