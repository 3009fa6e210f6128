using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Batches;
using Elastic.Model.Cpu;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Splits;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Step;

/// <summary>What each process of <see cref="StageProcesses"/> trains.</summary>
internal sealed record StagedTraining(
    ModelSettings Model, int Batch, int Tokens, int Micro, int Threads, TrainingPrecision Precision, int Steps);

/// <summary>
/// A network in stages, each in a process of its own with a memory limit (a control group) of its own; or whole in one such process. The
/// processes of a run know each other's ports, and send each other what goes over the cuts through this machine's loopback.
/// </summary>
internal static class StageProcesses
{
    private static readonly TimeSpan Connecting = TimeSpan.FromMinutes(2);

    /// <summary>Starts the processes with this program's arguments; prints what they took, and the digest of the parameters.</summary>
    /// <param name="limitBytes">Of each process; null for none.</param>
    public static void Run(int count, long? limitBytes, IReadOnlyList<string> arguments)
    {
        var folder = Directory.CreateTempSubdirectory("elastic-stages-").FullName;
        List<ControlGroup> groups =
            limitBytes is not { } bytes ? []
            : [.. Enumerable.Range(0, count).Select(i => new ControlGroup($"elastic-stage-{Environment.ProcessId}-{i}", bytes))];
        try
        {
            var ports = string.Join(',', FreePorts(count));
            var processes = Enumerable.Range(0, count).Select(stage => Start([
                .. arguments, "--stage", $"{stage}", "--ports", ports, "--parameters", Path.Combine(folder, "parameters"),
                .. groups.Count > 0 ? (string[])["--group", groups[stage].Folder] : []])).ToList();
            var outputs = processes.Select(p => p.StandardOutput.ReadToEndAsync()).ToList();
            foreach (var (process, output) in processes.Zip(outputs))
            {
                process.WaitForExit();
                Console.Write(output.Result);
                if (process.ExitCode != 0)
                    Console.WriteLine(
                        $"a process ended with exit code {process.ExitCode}" + (process.ExitCode == 137 ? ": the system killed it" : ""));
                process.Dispose();
            }
            if (File.Exists(Path.Combine(folder, "parameters")))
            {
                using var file = File.OpenRead(Path.Combine(folder, "parameters"));
                Console.WriteLine($"parameters {Convert.ToHexStringLower(SHA256.HashData(file))}");
            }
        }
        finally
        {
            foreach (var group in groups)
                group.Remove();
            Directory.Delete(folder, true);
        }
    }

    /// <summary>Is one of the processes.</summary>
    /// <param name="ports">Of all stages, in order.</param>
    /// <param name="file">Gets the stage's parameters, at their places.</param>
    public static async Task StageAsync(int number, IReadOnlyList<int> ports, StagedTraining training, string file)
    {
        var architecture = Architectures.Open(training.Model);
        var layout = new FlatLayout(architecture.Parameters);
        using var vectors = ports.Count == 1 ? new ReplicaVectors(layout) : new ReplicaVectors(layout, HostVector.Untouched);
        using var device = new DeviceThread(new DeviceId("cpu:0"), () =>
        {
            var cpu = new CpuDevice(new DeviceId("cpu:0"), architecture, 0, training.Threads);
            cpu.Attach(vectors);
            return cpu;
        });
        var links = await ConnectAsync(number, ports);
        IEnumerable<Segment> own = layout.Segments;
        TrainingStep step;
        if (ports.Count == 1)
        {
            Initialization.Fill(vectors, 1);
            step = new TrainingStep([device], new LocalCollective([device]), layout, Optimizer(), 1, Precision.Of(training.Precision));
        }
        else
        {
            var stage = new ApartStage(device, architecture, number, links, vectors);
            stage.Initialize(1);
            (step, own) = (stage.Step(Optimizer(), 1, Precision.Of(training.Precision)), stage.Own);
        }
        var (loss, began) = (0.0, Stopwatch.GetTimestamp());
        for (var i = 0; i < training.Steps; i++)
            loss = await step.RunAsync(MicroBatches(training, architecture, i), new DropoutSeed(1, 0, 0, i), 1e-3, i + 1);
        var seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
        Write(file, vectors, own);
        foreach (var link in links)
            await (link?.DisposeAsync() ?? default);
        if (ports.Count > 1)
            Console.WriteLine(TrafficOf(number, links, training));
        var peak = long.Parse(
            File.ReadLines("/proc/self/status").First(l => l.StartsWith("VmHWM", StringComparison.Ordinal)).Split(' ')[^2],
            CultureInfo.InvariantCulture) / 1024;
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"stage {number} of {ports.Count}: {own.Sum(s => s.Count) / 1e6:0.0} M parameters, peak {peak} MiB resident, "
            + $"processor time {Process.GetCurrentProcess().TotalProcessorTime.TotalSeconds:0.0} s, "
            + $"{seconds / training.Steps * 1000:0} ms a step, loss {loss:0.000000}"));
    }

    /// <summary>Ends this process when standard input does: with the process that has started it.</summary>
    public static void EndWithInput() => new Thread(() =>
    {
        Console.In.ReadToEnd();
        Environment.Exit(1);
    })
    { IsBackground = true }.Start();

    // What the stage has sent, beside what is planned of it.
    private static string TrafficOf(int number, StageLink?[] links, StagedTraining training)
    {
        var settings = TrainingSettings.Defaults with
        {
            Model = training.Model,
            Run = TrainingSettings.Defaults.Run with { Precision = training.Precision },
            Batch = BatchSettings.Defaults with { Sequences = training.Batch, Micro = training.Micro },
        };
        var (plan, microBatches) = (StagePlan.Of(settings, links.Length, training.Threads), (double)settings.Batch.MicroBatches);
        double Sent(params StageFrame[] frames) => frames.Sum(f => links.Sum(l => (double)(l?.SentBytes(f) ?? 0))) / training.Steps;
        var (cuts, tied) = (Sent(StageFrame.Activations, StageFrame.Gradients), Sent(StageFrame.Parameters));
        return string.Create(
            CultureInfo.InvariantCulture,
            $"stage {number} of {links.Length}: sent {cuts / microBatches:0} bytes of activations and gradients a micro-batch, planned "
            + $"{plan.CutBytesOfMicroBatch[number]:0}; of a tied embedding {Sent(StageFrame.Rows):0} bytes of rows and {tied:0} of "
            + $"parameters a step; {Sent(StageFrame.Losses, StageFrame.Squares):0} besides; planned memory "
            + $"{plan.Bytes[number] / (1 << 20):0} MiB");
    }

    private static AdamW Optimizer() => new(OptimizerSettings.Defaults with { LearningRate = 1e-3 });

    // The same in each process.
    private static IReadOnlyList<MicroBatch> MicroBatches(StagedTraining training, IArchitecture architecture, int step)
    {
        var random = new Random(step);
        var tokens = new int[training.Batch * (training.Tokens + 1)];
        for (var i = 0; i < tokens.Length; i++)
            tokens[i] = random.Next(training.Model.Vocabulary);
        return architecture.Batching.MicroBatches(Sample.Cut(tokens, training.Batch), training.Micro);
    }

    private static void Write(string file, ReplicaVectors vectors, IEnumerable<Segment> own)
    {
        using var into = new FileStream(file, FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite);
        foreach (var segment in own)
        {
            into.Position = segment.Offset * sizeof(float);
            into.Write(vectors.Bytes(VectorSet.Parameters, segment.Offset, (int)segment.Count));
        }
    }

    // Each stage listens for those behind it, and calls those before it, which say who they are by their number.
    private static async Task<StageLink?[]> ConnectAsync(int number, IReadOnlyList<int> ports)
    {
        using var late = new CancellationTokenSource(Connecting);
        var links = new StageLink?[ports.Count];
        using var listener = new TcpListener(IPAddress.Loopback, ports[number]);
        listener.Start();
        for (var before = 0; before < number; before++)
        {
            var client = await CallAsync(ports[before], late.Token);
            await client.GetStream().WriteAsync(new byte[] { (byte)number }, late.Token);
            links[before] = Link(client, before, ports.Count);
        }
        for (var behind = number + 1; behind < ports.Count; behind++)
        {
            var client = await listener.AcceptTcpClientAsync(late.Token);
            var who = new byte[1];
            await client.GetStream().ReadExactlyAsync(who, late.Token);
            if (who[0] <= number || who[0] >= ports.Count || links[who[0]] is not null)
                throw new ElasticException($"stage {who[0]} called stage {number} of {ports.Count}: nobody else may use these ports");
            links[who[0]] = Link(client, who[0], ports.Count);
        }
        return links;
    }

    private static StageLink Link(TcpClient client, int stage, int count)
    {
        client.NoDelay = true;
        return new StageLink(client.GetStream(), client.GetStream(), stage, $"stage {stage} of {count} on {client.Client.RemoteEndPoint}");
    }

    // It may not listen yet.
    private static async Task<TcpClient> CallAsync(int port, CancellationToken late)
    {
        while (true)
        {
            var client = new TcpClient();
            try
            {
                await client.ConnectAsync(IPAddress.Loopback, port, late);
                return client;
            }
            catch (SocketException)
            {
                client.Dispose();
                await Task.Delay(100, late);
            }
        }
    }

    /// <summary>Ports that nobody listens on.</summary>
    public static List<int> FreePorts(int count)
    {
        var listeners = Enumerable.Range(0, count).Select(_ => new TcpListener(IPAddress.Loopback, 0)).ToList();
        listeners.ForEach(l => l.Start());
        List<int> ports = [.. listeners.Select(l => ((IPEndPoint)l.LocalEndpoint).Port)];
        listeners.ForEach(l => l.Dispose());
        return ports;
    }

    private static Process Start(IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!)
        {
            RedirectStandardInput = true,                              // ends with this process: see EndWithInput
            RedirectStandardOutput = true,
            UseShellExecute = false,
        };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
            start.ArgumentList.Add(typeof(StageProcesses).Assembly.Location);
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);
        return Process.Start(start) ?? throw new ElasticException("a process of a stage did not start");
    }
}
