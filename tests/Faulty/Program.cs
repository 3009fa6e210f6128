// elastic worker with a fault that no command line gives; its first word is the fault, the rest is elastic's: "bit-flip" is a machine whose
// memory flips one bit in every result, "version" is another build of Elastic, "arithmetic" a device that computes other bits, "slow" is a
// machine whose steps take so long that something can happen in a round, however fast the machine under test is, "held" is one that waits
// in the middle of round 1 until the file that ELASTIC_GO names exists, "hang" is a device that stops for good after a step, "stuck" is a
// slow machine whose second device stops for good in the middle of one, "loose" is a slow machine that loses each of its devices but cpu:0
// from time to time, "wall" is a firewall that refuses it the endpoints in the file that ELASTIC_REFUSED names.
using Elastic.Actors.Nodes;
using Elastic.Faulty;
using Elastic.Foundation;
using Elastic.Host.Commands;
using Elastic.Messages;
using Elastic.Messages.Vectors;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

var faults = args[0] switch
{
    "bit-flip" => new NodeFaults(FlipOneBit),
    "version" => new NodeFaults(Version: "0.0.9"),
    "arithmetic" => new NodeFaults(Arithmetic: "abacus 1"),
    "slow" => new NodeFaults(AfterStep: SlowAsync),
    "held" => new NodeFaults(AfterStep: HeldAsync),
    "hang" => new NodeFaults(AfterStep: (_, _) => Task.Delay(Timeout.Infinite, CancellationToken.None)),
    "stuck" => new StuckDevice().Faults,
    "loose" => new NodeFaults(AfterStep: SlowAsync, BeforeDeviceWork: Lose),
    "wall" => new NodeFaults(AfterStep: SlowAsync, Transport: Walled),
    _ => throw new ArgumentException($"there is no fault \"{args[0]}\""),
};
return await ElasticCommandLine.RunAsync(args[1..], Console.Out, Console.Error, faults);

static Task SlowAsync(int round, CancellationToken stop) => Task.Delay(TimeSpan.FromMilliseconds(20), CancellationToken.None);

static async Task HeldAsync(int round, CancellationToken stop)
{
    var go = Environment.GetEnvironmentVariable("ELASTIC_GO")!;
    while (round > 0 && !File.Exists(go) && !stop.IsCancellationRequested)
        await Task.Delay(TimeSpan.FromMilliseconds(50), CancellationToken.None);
}

// Each piece of work is a part of a step; a step has five.
static void Lose(DeviceId device)
{
    if (device.Value != "cpu:0" && Random.Shared.Next(200) == 0)
        throw new DeviceFailedException(device, isLost: true, "its cable is loose");
}

static Transport Walled(Transport own)
{
    var refused = Environment.GetEnvironmentVariable("ELASTIC_REFUSED")!;
    return own with
    {
        AsClientAsync = (stream, endpoint, cancel) => File.Exists(refused) && File.ReadAllLines(refused).Contains($"{endpoint}")
            ? throw new IOException($"the firewall refuses {endpoint}")
            : own.AsClientAsync(stream, endpoint, cancel),
    };
}

// The lowest bit of one parameter: no loss, no norm and no plot would ever show it.
static void FlipOneBit(ReplicaVectors vectors)
{
    var one = vectors.Floats(VectorSet.Parameters, vectors.Layout.Length / 2, 1);
    one[0] = BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(one[0]) ^ 1);
}
