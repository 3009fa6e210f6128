// A worker with a fault that no command line gives: "bit-flip" is a machine whose memory flips one bit in every result, "version" is a worker
// of another build of Elastic, "slow" is one whose steps take so long that on every machine something can happen in a round. The rest of the
// arguments are those of elastic worker, as far as the scenarios need them.
using System.Runtime.InteropServices;
using Elastic.Actors;
using Elastic.Actors.Nodes;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Vectors;

var faults = args[0] switch
{
    "bit-flip" => new NodeFaults(FlipOneBit),
    "version" => new NodeFaults(Version: "0.0.9"),
    "slow" => new NodeFaults(StepPause: TimeSpan.FromMilliseconds(20)),
    _ => throw new ArgumentException($"there is no fault \"{args[0]}\""),
};
var options = args.Skip(2).Chunk(2).ToLookup(pair => pair[0], pair => pair[1]);          // args[1] is "worker"

using var ended = new CancellationTokenSource();
using var terminated = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context =>
{
    context.Cancel = true;
    ended.Cancel();
});

var settings = new NodeSettings(options["--devices"].Single(), 1, options["--data-dir"].Single(), "127.0.0.1", 0);
try
{
    await using var node = await ElasticNode.StartAsync(settings, NodeDuty.Worker([.. options["--seed"]]), Console.WriteLine, faults, ended.Token);
    Console.WriteLine($"worker {node.Endpoint} is up: data plane {node.HttpEndpoint}, devices {settings.Devices}");
    await Task.WhenAny(Task.Delay(Timeout.Infinite, ended.Token), node.Refused);
    if (node.Refused.IsCompleted)
        throw new ElasticException(await node.Refused);
    return 0;
}
catch (ElasticException e)
{
    await Console.Error.WriteLineAsync($"error: {e.Message}");
    return 1;
}

// The lowest bit of one parameter: no loss, no norm and no plot would ever show it.
static void FlipOneBit(ReplicaVectors vectors)
{
    var one = vectors.Floats(VectorKind.Parameters, vectors.Layout.Length / 2, 1);
    one[0] = BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(one[0]) ^ 1);
}
