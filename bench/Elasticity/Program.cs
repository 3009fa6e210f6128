// Kills nodes and seeds of a cluster on this machine, lets nodes join it, and times how its run goes on; counts the messages of a round:
// see README.md. One word says what to measure; with the word "paced" it is a node whose link carries so many bytes a second to it,
// with "mortal" one that dies in the middle of the build of a corpus, with "builder" a seed whose build stops where a file says.
using System.Globalization;
using Elastic.Actors.Nodes;
using Elastic.Bench.Elasticity;
using Elastic.Bench.Elasticity.Control;
using Elastic.Bench.Elasticity.Corpora;
using Elastic.Bench.Elasticity.Operation;
using Elastic.Host.Commands;
using Elastic.Testing;

if (args is ["paced", var bytesPerSecond, .. var command])
    return await ElasticCommandLine.RunAsync(command, Console.Out, Console.Error, new NodeFaults(
        Transport: new PacedLink(double.Parse(bytesPerSecond, CultureInfo.InvariantCulture)).Below));

if (args is ["mortal", var fault, .. var mortal])
    return await new MortalProcess(fault).RunAsync(mortal);

if (args is ["builder", var allowed, .. var building])
    return await ElasticCommandLine.RunAsync(building, Console.Out, Console.Error, StreamedRuns.Builder(allowed));

var options = new Options(args);
if (args is ["corpus", ..])
    return await new BuildKills(options).RunAsync();
var failed = false;
var benchmarks = new Dictionary<string, Func<Task>>
{
    ["replica"] = () => new ReplicaRestart(options).RunAsync(),
    ["seed"] = () => new SupervisorLoss(options).RunAsync(),
    ["kills"] = () => new ThroughputUnderKills(options).RunAsync(),
    ["join"] = () => new FirstStepOfAJoiner(options).RunAsync(),
    ["supervisor"] = () => Task.Run(new SupervisorLoad(options).Run),
    ["handshakes"] = () => new Handshakes(options).RunAsync(),
    ["commands"] = () => new CommandRoundTrips(options).RunAsync(),
    ["leave"] = () => new LeaveTimes(options).RunAsync(),
    ["watched"] = () => new CostOfWatching(options).RunAsync(),
    ["upgrade"] = () => new Upgrades(options).RunAsync(),
    ["messages"] = () => new MessagesOfARound(options).RunAsync(),
    ["priorities"] = async () => failed = !await new TwoRuns(options).RunAsync(),
    ["stream"] = async () => failed = !await new StreamedRuns(options).RunAsync(),
};
if (args is not [var word, ..] || !benchmarks.TryGetValue(word, out var benchmark))
{
    Console.Error.WriteLine($"say what to measure: {string.Join(", ", benchmarks.Keys)}, corpus");
    return 2;
}

await benchmark();
return failed ? 1 : 0;
