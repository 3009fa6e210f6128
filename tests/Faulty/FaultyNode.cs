using Elastic.Actors.Nodes;
using Elastic.Foundation;
using Elastic.Host.Commands;
using Elastic.Messages;
using Elastic.Messages.Vectors;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Faulty;

/// <summary>
/// <c>elastic</c> with a fault that no command line gives: "bit-flip" is a machine whose memory flips one bit in every result, "version" is
/// another build of Elastic, "arithmetic" a device that computes other bits, "slow" is a machine whose steps take so long that something
/// can happen in a round, however fast the machine under test is, "held" is one that waits in the middle of round 1 until the file that
/// ELASTIC_GO names exists, "hang" is a device that stops for good after a step, "stuck" is a slow machine whose second device stops for
/// good in the middle of one, "loose" is a slow machine that loses each of its devices but cpu:0 from time to time, "wall" is a firewall
/// that refuses it the endpoints in the file that ELASTIC_REFUSED names, "none" has no fault.
/// </summary>
internal static class FaultyNode
{
    /// <param name="variable">What stands for a name in the environment.</param>
    /// <param name="leaving">Asks it to leave, as SIGTERM does.</param>
    /// <returns>The exit code.</returns>
    public static Task<int> RunAsync(
        string fault, Func<string, string?> variable, string[] args, TextWriter output, TextWriter error, CancellationToken leaving) =>
        ElasticCommandLine.RunAsync(args, output, error, FaultsOf(fault, variable), leaving);

    private static NodeFaults FaultsOf(string fault, Func<string, string?> variable) => fault switch
    {
        "none" => NodeFaults.None,
        "bit-flip" => new NodeFaults(FlipOneBit),
        "version" => new NodeFaults(Version: "0.0.9"),
        "arithmetic" => new NodeFaults(Arithmetic: "abacus 1"),
        "slow" => new NodeFaults(AfterStep: SlowAsync),
        "held" => new NodeFaults(AfterStep: (round, stop) => HeldAsync(variable("ELASTIC_GO")!, round, stop)),
        "hang" => new NodeFaults(AfterStep: (_, _) => Task.Delay(Timeout.Infinite, CancellationToken.None)),
        "stuck" => new StuckDevice().Faults,
        "loose" => new NodeFaults(AfterStep: SlowAsync, BeforeDeviceWork: Lose),
        "wall" => new NodeFaults(AfterStep: SlowAsync, Transport: own => Walled(own, variable("ELASTIC_REFUSED")!)),
        _ => throw new ArgumentException($"there is no fault \"{fault}\""),
    };

    private static Task SlowAsync(int round, CancellationToken stop) =>
        Task.Delay(TimeSpan.FromMilliseconds(20), CancellationToken.None);

    private static async Task HeldAsync(string go, int round, CancellationToken stop)
    {
        while (round > 0 && !File.Exists(go) && !stop.IsCancellationRequested)
            await Task.Delay(TimeSpan.FromMilliseconds(50), CancellationToken.None);
    }

    // Each piece of work is a part of a step; a step has five.
    private static void Lose(DeviceId device)
    {
        if (device.Value != "cpu:0" && Random.Shared.Next(200) == 0)
            throw new DeviceFailedException(device, isLost: true, "its cable is loose");
    }

    private static Transport Walled(Transport own, string refused) => own with
    {
        AsClientAsync = (stream, endpoint, cancel) => File.Exists(refused) && File.ReadAllLines(refused).Contains($"{endpoint}")
            ? throw new IOException($"the firewall refuses {endpoint}")
            : own.AsClientAsync(stream, endpoint, cancel),
    };

    // The lowest bit of one parameter: no loss, no norm and no plot would ever show it.
    private static void FlipOneBit(ReplicaVectors vectors)
    {
        var one = vectors.Floats(VectorSet.Parameters, vectors.Layout.Length / 2, 1);
        one[0] = BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(one[0]) ^ 1);
    }
}
