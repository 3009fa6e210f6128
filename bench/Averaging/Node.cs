using System.Globalization;
using System.Runtime.InteropServices;
using Akka.Actor;
using Elastic.Actors.Corpora;
using Elastic.Actors.Hosting;
using Elastic.Actors.Nodes;
using Elastic.Actors.Work;
using Elastic.Coordination;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Foundation.Certificates;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Messages.Work;
using Elastic.Storage;
using Elastic.Testing;
using Elastic.Transfer;

namespace Elastic.Bench.Mean;

/// <summary>
/// One of the processes that average: the data plane, the blobs and what sums on an Elastic node, and instead of a supervisor somebody
/// who writes to its standard input.
/// </summary>
internal sealed class Node
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(4);
    private static readonly Digest NoCorpus = Digest.Of("bench"u8);
    private readonly NodeRun _run;
    private readonly Peers _peers;
    private readonly ActorSystem _system;
    private readonly IActorRef _sums;
    private readonly string _folder;
    private int _works;

    private Node(NodeRun run, Peers peers, ActorSystem system, string folder)
    {
        (_run, _peers, _system, _folder) = (run, peers, system, folder);
        _sums = system.ActorOf(BlobWorkActor.Props(lanes: 2), "sums");
    }

    /// <summary>Answers until its standard input ends.</summary>
    /// <param name="certificates">Folder of the node's certificates; empty for none.</param>
    /// <param name="bytesPerSecond">Of its link; 0 for as many as there are.</param>
    public static async Task<int> RunAsync(string folder, int index, string settings, string certificates, double bytesPerSecond)
    {
        var paths = new DataPaths(folder);
        Directory.CreateDirectory(folder);
        var (blobs, connections, peers) = (new BlobLocations(), new LivenessConnections(), new Peers());
        using var credentials = certificates.Length == 0
            ? null
            : Credentials.OfNode(new CertificateFiles(certificates), TimeProvider.System);
        var transport = credentials is null ? Transport.Plain : TlsTransport.BetweenNodes(credentials);
        using var fetcher = new BlobFetcher(peers, bytesPerSecond == 0 ? transport : new PacedLink(bytesPerSecond).Below(transport));
        await using var server = await DataServer.StartAsync("127.0.0.1", 0, blobs, connections, transport, CancellationToken.None);
        using var streams = new PlainStreams();
        var id = new NodeId($"{index}");
        await using var liveness = new LivenessConnection(id, "bench", transport);
        var context = new NodeContext
        {
            Facts = new NodeFacts
            {
                Id = id,
                Incarnation = "bench",
                Address = "",
                Endpoint = server.Endpoint.ToString(),
                Seed = false,
                Version = "",
                Arithmetic = "",
            },
            Devices = "none",
            ThreadsPerDevice = _ => 1,
            Paths = paths,
            Endpoint = server.Endpoint,
            Blobs = blobs,
            Fetcher = fetcher,
            Peers = peers,
            Stages = new StageConnections(transport),
            Liveness = liveness,
            Corpora = new CorpusFiles(paths, blobs, fetcher),
            CorpusRoots = [],
            Readers = new ReaderWay(),
            Faults = NodeFaults.None,
            Say = _ => { },
            Refuse = _ => { },
        };
        var open = new NodeCommand.OpenRun(new RunId("bench"))
        {
            Number = new OrderId(1, 1),
            Settings = settings,
            Corpus = NoCorpus,
            Manifest = null,
            Sources = [],
            Part = Part.Whole,
        };
        var run = new NodeRun(open, context, Corpus(paths), new BlobStore(paths.Blobs(open.RunId)));
        blobs.Add(run.Blobs);
        var system = ActorSystem.Create("bench", AkkaSettings.ForDevices(paths));
        var node = new Node(run, peers, system, folder);

        await Console.Out.WriteLineAsync($"{server.Endpoint} {streams.Endpoint}");
        while (await Console.In.ReadLineAsync() is { } line)
            await Console.Out.WriteLineAsync(await node.AnswerAsync(line.Split(' ')));
        await system.Terminate();
        return 0;
    }

    private async Task<string> AnswerAsync(string[] words)
    {
        try
        {
            switch (words)
            {
                case ["peers", .. var endpoints]:
                    _peers.Set([.. endpoints.Select(Endpoint.Parse)]);
                    return "ok";
                case ["version"]:
                    return Store(0, withMomentum: _run.Setup.Settings.Run.Averaging == AveragingMethod.Nesterov).Hex;
                case ["contribute", var seed]:
                    return Store(ulong.Parse(seed, CultureInfo.InvariantCulture), withMomentum: false).Hex;
                case ["average", var round, var version, var contributions, .. var pieces]:
                    return await AverageAsync(
                        int.Parse(round), new Digest(version), [.. contributions.Split(',').Select(c => new Digest(c))], pieces);
                case ["assemble", var round, .. var chunks]:
                    return await AssembleAsync(int.Parse(round), [.. chunks.Select(Parse)]);
                case ["receive", .. var streams]:
                    await Task.Run(() => PlainStreams.Receive(streams));
                    return "ok";
                case ["part", var name, var bytes]:
                    await Task.Run(
                        () => Parts.Do(name, long.Parse(bytes, CultureInfo.InvariantCulture), _folder, _run.Setup.Settings.Run.Replicas));
                    return "ok";
                case ["forget", var except]:
                    foreach (var file in Directory.EnumerateFiles(_folder, "*.part"))
                        File.Delete(file);
                    _run.Blobs.Retain([new Digest(except)], int.MaxValue);
                    return "ok";
                default:
                    return $"failed: no such question: {string.Join(' ', words)}";
            }
        }
        catch (Exception e)
        {
            return $"failed: {e.ToString().ReplaceLineEndings(" ")}";
        }
    }

    // All pieces at once, as they come from a supervisor.
    private async Task<string> AverageAsync(int round, Digest version, Digest[] contributions, string[] pieces)
    {
        _run.Blobs.Begin(round);
        var answers = await Task.WhenAll(pieces.Select(piece => piece.Split(',').Select(int.Parse).ToArray())
            .Select(chunks => WorkAsync(AverageWork.KeyOf(round, chunks[0]), new Average(round, chunks, version, contributions))));
        return string.Join(' ',
            answers.Cast<Averaged>().SelectMany(a => a.Chunks).Select(c => $"{c.Chunk}:{c.Parameters}:{c.OuterMomentum}"));
    }

    private async Task<string> AssembleAsync(int round, AveragedChunk[] chunks) =>
        ((Assembled)await WorkAsync(AssembleWork.KeyOf(round), new Assemble(round, chunks))).Version.Hex;

    private async Task<WorkOutcome> WorkAsync(WorkKey key, WorkContent content)
    {
        var number = ++_works;
        var order = new WorkOrder
        {
            Job = _run.Id.Job,
            Id = new OrderId(1, number),
            Key = key,
            From = null,
            Sources = [],
            Part = Part.Whole,
            Content = content,
        };
        // It also tells how many bytes have come.
        using var asker = Inbox.Create(_system);
        asker.Send(_sums, new BlobWork(number, _run, order));
        object? told = null;
        while (told is not WorkEnded)
            told = await asker.ReceiveAsync(Deadline);
        var ended = (WorkEnded)told;
        return ended.Outcome is WorkFailed failed ? throw new InvalidOperationException(failed.Why) : ended.Outcome!;
    }

    // A vector set of made-up numbers, as a replica or an averaging leaves it.
    private Digest Store(ulong seed, bool withMomentum)
    {
        var vectors = new Dictionary<string, VectorManifest> { [VectorSet.Parameters] = StoreVector(seed) };
        if (withMomentum)
            vectors[VectorSet.OuterMomentum] = StoreVector(seed + 1);
        return _run.Blobs.PutSet(new VectorSet(vectors));
    }

    private VectorManifest StoreVector(ulong seed)
    {
        var chunks = new Digest[_run.Setup.Layout.Chunks];
        var state = (seed + 1) * 0x9E3779B97F4A7C15;
        for (var chunk = 0; chunk < chunks.Length; chunk++)
        {
            var words = new uint[_run.Setup.Layout.Chunk(chunk).Count];
            for (var i = 0; i < words.Length; i++)
            {
                // Marsaglia's xorshift64; 23 random bits make a number from 1 to 2.
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                words[i] = (uint)(state >> 41) | 0x3F800000;
            }

            chunks[chunk] = _run.Blobs.Put(MemoryMarshal.AsBytes(words.AsSpan()));
        }

        return new VectorManifest(_run.Setup.Layout.Length, chunks);
    }

    private static AveragedChunk Parse(string text)
    {
        var fields = text.Split(':');
        return new AveragedChunk(int.Parse(fields[0]), new Digest(fields[1]), fields[2].Length > 0 ? new Digest(fields[2]) : null);
    }

    // A run needs one, and nobody reads this one.
    private static BuiltCorpus Corpus(DataPaths paths)
    {
        var tokenizer = Tokenizer.Open("byte");
        using var writer = new CorpusWriter(Path.Combine(paths.Root, "corpus"), NoCorpus, tokenizer);
        writer.Append(BatchTokenizer.Tokenize(tokenizer, new DocumentBatch(0, [new Document("bench", "0", new string('x', 4096))]), 0));
        return writer.Complete(new ReadStatistics());
    }
}
