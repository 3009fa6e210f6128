using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Testing;

namespace Elastic.Cluster.Tests;

/// <summary>Processors of every kind compute the same bits: with dropout, label smoothing and the outer step of DiLoCo.</summary>
public sealed class OneArithmeticScenarios : ClusterScenario
{
    private static readonly string[] Short = ["run.rounds=2", "run.inner-steps=3", "optimizer.label-smoothing=0.1"];

    // What a processor has not is taken away; "DOTNET_EnableHWIntrinsic" leaves nothing but scalar instructions.
    private static readonly (string Name, string? Without, string Devices, int Threads)[] Machines =
    [
        ("as it is", null, "cpu:1", 1),
        ("three threads", null, "cpu:1", 3),
        ("three devices of two threads", null, "cpu:3", 2),
        ("AVX2", "DOTNET_EnableAVX512", "cpu:2", 1),
        ("no AVX", "DOTNET_EnableAVX", "cpu:1", 2),
        ("scalar", "DOTNET_EnableHWIntrinsic", "cpu:1", 1),
    ];

    [Fact]
    public async Task Threads_devices_and_instruction_sets_do_not_show_in_the_weights()
    {
        var fingerprints = new Dictionary<string, string>();
        foreach (var pair in Machines.Chunk(2))
        {
            var processes = pair.Select(m => (m.Name, Process: Train(
                m.Name, m.Without is null ? Here.Elastic : WithoutInstructions(m.Without), m.Devices, m.Threads))).ToList();
            foreach (var (name, process) in processes)
            {
                using (process)
                    fingerprints[name] = (await process.ResultAsync()).GetProperty("fingerprint").GetString()!;
            }
        }
        Assert.Equal(64, fingerprints["as it is"].Length);
        Assert.All(fingerprints, f => Assert.Equal((f.Key, fingerprints["as it is"]), (f.Key, f.Value)));
    }

    [Fact]
    public async Task Workers_with_AVX512_with_AVX2_and_with_Arm64_compute_one_run_and_audits_find_no_difference()
    {
        string[] settings = [.. Short, "run.replicas=3"];
        // The emulator takes ten times as long, and on a busy machine more: it is not taken for dead, and is waited for.
        string[] patient = ["--network", "cloud"];
        var emulated = new Wait(TimeSpan.FromMinutes(6), TimeSpan.FromMilliseconds(100));
        var seed = Cluster.Seed("seed", launch: Here.Elastic, more: patient);
        await Cluster.StartAsync(seed);
        var arm = Cluster.Worker("arm", launch: Launch.Arm64, more: patient);
        arm.Launch();
        await emulated.UntilAsync("Arm64 joined", () => Task.FromResult(arm.HasJoined()), Cluster.Describe);
        await Cluster.StartRunAsync([.. settings, "run.audit-rate=0.5"]);
        // Others would have everything done before its first result.
        await emulated.UntilAsync(
            "Arm64 had a result", async () => (await Cluster.JournalAsync(seed)).Any(e => e is RunEvent.ReplicaComputed), Cluster.Describe);
        ClusterNode[] others =
            [
                Cluster.Worker("wide", launch: Here.Elastic, more: patient),
                Cluster.Worker("narrow", launch: WithoutInstructions("DOTNET_EnableAVX512"), more: patient),
            ];
        await Cluster.StartAsync(others);
        var events = await Cluster.SameAsUndisturbedAsync(seed, settings);
        Assert.Contains(events.OfType<RunEvent.ReplicaComputed>(), e => e.Node == arm.Id);
        Assert.Contains(events, e => NodeOf(e) is { } node && node != arm.Id);
        Assert.DoesNotContain(events, e => e is RunEvent.ReplicaContested or RunEvent.NodeQuarantined);
    }

    private static NodeId? NodeOf(RunEvent e) => e switch
    {
        RunEvent.ReplicaComputed computed => computed.Node,
        RunEvent.ReplicaConfirmed confirmed => confirmed.Node,
        _ => null,
    };

    private static Launch WithoutInstructions(string variable) =>
        Launch.Elastic with { Environment = new Dictionary<string, string> { [variable] = "0" } };

    private RunningCommand Train(string name, Launch launch, string devices, int threads) => RunningCommand.Start(launch,
    [
        "train", "--config", Cluster.Files.ClusterConfig, "--corpus", Cluster.Files.Corpus, "--json", "--devices", devices,
        "--data-dir", Path.Combine(Cluster.Files.Root, name.Replace(' ', '-')),
        .. Short.Append($"node.threads-per-device={threads}").SelectMany(s => new[] { "--set", s }),
    ]);
}
