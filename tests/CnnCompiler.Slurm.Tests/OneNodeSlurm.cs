using System.Diagnostics;

namespace CnnCompiler.Slurm.Tests;

/// <summary>
/// A Slurm of one node in a folder of its own: a controller and a node daemon on ports of their own, without authentication, which end with it. Tests that need it belong to the tier
/// <c>slurm</c>: <c>.ci/run --tier slurm</c> installs Debian's packages and sets CNNC_TIER; in any other tier they are skipped with <see cref="Reason"/>.
/// </summary>
internal sealed class OneNodeSlurm : IDisposable
{
    /// <summary>Why a test is skipped outside the tier. <c>.ci/run</c> lists it.</summary>
    public const string Reason = "needs --tier slurm";

    private const int ControllerPort = 26817;
    private const int NodePort = 26818;
    private const int Attempts = 100;
    private const int MillisecondsBetween = 200;
    private readonly List<Process> _daemons = [];
    private readonly string _configuration;

    private OneNodeSlurm()
    {
        Folder = Directory.CreateTempSubdirectory("cnnc-slurm-").FullName;
        _configuration = Path.Combine(Folder, "slurm.conf");
    }

    /// <summary>Where everything lies.</summary>
    public string Folder { get; }

    /// <summary>Starts one, or skips the test outside the tier.</summary>
    public static OneNodeSlurm Start()
    {
        Assert.SkipUnless(Environment.GetEnvironmentVariable("CNNC_TIER") == "slurm", Reason);
        var slurm = new OneNodeSlurm();
        try
        {
            slurm.Configure();
            slurm.StartDaemon("slurmctld", "-D");
            slurm.StartDaemon("slurmd", "-D", "-N", Environment.MachineName);
            for (var attempt = 0; !slurm.Run("sinfo", "--noheader", "--format=%t").Output.Contains("idle", StringComparison.Ordinal); attempt++)
            {
                Assert.True(attempt < Attempts, $"the node never became idle\n{slurm.Run("sinfo").Output}\n{File.ReadAllText(Path.Combine(slurm.Folder, "slurmctld.log"))}");
                Thread.Sleep(MillisecondsBetween);
            }

            return slurm;
        }
        catch
        {
            slurm.Dispose();
            throw;
        }
    }

    /// <summary>Runs a program with this Slurm as its own, to its end.</summary>
    public (int Status, string Output) Run(string program, params ReadOnlySpan<string> arguments)
    {
        using var process = Begin(program, arguments);
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output + errors.GetAwaiter().GetResult());
    }

    public void Dispose()
    {
        foreach (var daemon in Enumerable.Reverse(_daemons))
        {
            daemon.Kill(entireProcessTree: true);
            daemon.WaitForExit();
            daemon.Dispose();
        }

        Directory.Delete(Folder, recursive: true);
    }

    private void Configure()
    {
        var host = Environment.MachineName;
        Directory.CreateDirectory(Path.Combine(Folder, "state"));
        Directory.CreateDirectory(Path.Combine(Folder, "spool"));
        File.WriteAllText(_configuration, $"""
            ClusterName=cnnc
            SlurmctldHost={host}(127.0.0.1)
            SlurmUser={Environment.UserName}
            SlurmdUser={Environment.UserName}
            AuthType=auth/none
            CredType=cred/none
            SlurmctldPort={ControllerPort}
            SlurmdPort={NodePort}
            StateSaveLocation={Folder}/state
            SlurmdSpoolDir={Folder}/spool
            SlurmctldPidFile={Folder}/slurmctld.pid
            SlurmdPidFile={Folder}/slurmd.pid
            SlurmctldLogFile={Folder}/slurmctld.log
            SlurmdLogFile={Folder}/slurmd.log
            ProctrackType=proctrack/pgid
            TaskPlugin=task/none
            SelectType=select/cons_tres
            SelectTypeParameters=CR_CPU
            MpiDefault=none
            SwitchType=switch/none
            ReturnToService=2
            SlurmdParameters=config_overrides
            SchedulerParameters=batch_sched_delay=0,sched_interval=1
            NodeName={host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
            PartitionName=all Nodes=ALL Default=YES State=UP MaxTime=10

            """);
    }

    private void StartDaemon(string program, params ReadOnlySpan<string> arguments)
    {
        var process = Begin(program, arguments);
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        _daemons.Add(process);
    }

    private Process Begin(string program, ReadOnlySpan<string> arguments)
    {
        // Debian has the daemons where only root looks
        var path = Path.Combine("/usr/sbin", program) is var daemon && File.Exists(daemon) ? daemon : program;
        var start = new ProcessStartInfo(path) { WorkingDirectory = Folder, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        start.Environment["SLURM_CONF"] = _configuration;
        start.Environment["CNNC"] = $"dotnet {typeof(Cli.Program).Assembly.Location}";
        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        try
        {
            return Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception error)
        {
            Assert.Fail($"{program} is missing ({error.Message}): apt-get install slurmctld slurmd slurm-client");
            throw;
        }
    }
}
