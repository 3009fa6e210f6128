using System.Globalization;
using Elastic.Actors.Control;
using Elastic.Actors.Nodes;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Storage;
using Elastic.Testing;
using Microsoft.Data.Sqlite;

namespace Elastic.Actors.Tests.Nodes;

/// <summary>A run small enough for a test: a corpus made here, a model of a few thousand parameters.</summary>
internal sealed class TinyRun : IDisposable
{
    public TinyRun()
    {
        Directory.CreateDirectory(Path.Combine(Root, "text"));
        for (var i = 0; i < 40; i++)
            File.WriteAllText(
                Path.Combine(Root, "text", $"{i:D2}.txt"), string.Join(' ', Enumerable.Range(0, 200).Select(w => Word(i * 1000 + w))));
        File.WriteAllLines(
            Path.Combine(Directory.CreateDirectory(Path.Combine(Root, "pairs")).FullName, "pairs.jsonl"),
            Enumerable.Range(0, 500).Select(i => $$"""{"text": "{{Word(i)}} {{i}}", "answer": "{{Word(i + 1)}}"}"""));
    }

    /// <summary>
    /// For a run and what comes before it: eight seconds on an idle machine; tests of processes may have the cores meanwhile.
    /// </summary>
    public static TimeSpan Patience { get; } = TimeSpan.FromSeconds(160);

    public string Root { get; } = Path.Combine(Path.GetTempPath(), $"elastic-{Guid.NewGuid():N}");

    public static TrainingSettings Settings(
        string name, int replicas = 1, AveragingMethod averaging = AveragingMethod.Average, int rounds = 4, int innerSteps = 3) =>
        TinySettings.Of(name, replicas, averaging, rounds, innerSteps);

    /// <summary>
    /// Holds a run in that round, after one step of each replica that is computed then, until it is told to stop, so that it is not over
    /// before; from then on holds nothing.
    /// </summary>
    public static Func<int, CancellationToken, Task> HeldIn(int round)
    {
        var told = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        return (current, stop) =>
        {
            if (current < round)
                return Task.CompletedTask;
            stop.Register(() => told.TrySetResult());
            return told.Task;
        };
    }

    /// <summary>Trains to the end, or until <paramref name="stop"/> says so, in a node of its own.</summary>
    /// <param name="hold">Waited for after each step, with its round; the token says that the run was told to stop.</param>
    public async Task<RunView> TrainAsync(
        TrainingSettings settings, string devices, string data = "data", Func<RunView, bool>? stop = null,
        Func<int, CancellationToken, Task>? hold = null)
    {
        using var deadline = new CancellationTokenSource(Patience);
        // What the caller looks for does not pass before he looks: the run stays in its first steps until then.
        var watched = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var node = await StartAsync(devices, data, deadline.Token, async (round, told) =>
        {
            await watched.Task;
            await (hold?.Invoke(round, told) ?? Task.CompletedTask);
        });
        return await TrainAsync(node, settings, view =>
        {
            watched.TrySetResult();
            return stop?.Invoke(view) == true;
        }, deadline.Token);
    }

    /// <param name="hold">Waited for after each step, with its round, until <paramref name="cancel"/>.</param>
    public Task<ElasticNode> StartAsync(
        string devices, string data, CancellationToken cancel, Func<int, CancellationToken, Task>? hold = null) =>
        ElasticNode.StartAsync(
            SettingsOf(devices, data), NodeDuty.Train, _ => { },
            hold is null ? NodeFaults.None : new NodeFaults(AfterStep: (round, told) => hold(round, told).WaitAsync(cancel)),
            Transport.Plain, cancel);

    public async Task<RunView> TrainAsync(ElasticNode node, TrainingSettings settings, Func<RunView, bool>? stop, CancellationToken cancel)
    {
        var source = Path.Combine(Root, settings.Corpus.Samples == SampleKind.Pairs ? "pairs" : "text");
        var corpus = await node.BuildCorpusAsync(settings.Corpus with { Sources = [source] }, null, cancel);
        var reply = await node.StartRunAsync(settings, corpus, Origins.Now("a test"));
        Assert.IsType<RunReply.Accepted>(reply);
        RunView? last = null;
        var asked = false;
        try
        {
            await foreach (var view in node.WatchAsync(new RunName(settings.Run.Name), cancel))
            {
                last = view;
                if (stop?.Invoke(view) == true)
                {
                    stop = null;
                    asked = true;
                    await node.StopRunAsync(view.Name, Origins.Now("a test"));
                }
            }
        }
        catch (OperationCanceledException e)
        {
            throw new TimeoutException($"the run hangs at {last}{Environment.NewLine}{Logs()}", e);
        }

        // A run that was not asked to stop and has not come to its end says why.
        if (!asked && last!.Phase != RunPhase.Finished && last.Failure is null)
            Assert.Fail($"the run ended as {last}{Environment.NewLine}{Logs()}");
        return last!;
    }

    /// <summary>The folder of the only run of that name.</summary>
    public string RunFolder(string data, string name) =>
        Directory.GetDirectories(Path.Combine(Root, data, "runs"), $"{name}-????????").Single();

    private NodeSettings SettingsOf(string devices, string data) =>
        NodeSettings.Defaults with { Devices = devices, DataDir = Path.Combine(Root, data) };

    private string Logs() =>
        string.Join(Environment.NewLine, Directory.EnumerateFiles(Root, "log.txt", SearchOption.AllDirectories).Select(ReadShared));

    private static string ReadShared(string path)
    {
        using var reader = new StreamReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        return $"{path}:{Environment.NewLine}{reader.ReadToEnd()}";
    }

    /// <summary>
    /// Of the parameters that the run began with, on the held-out text, in nats per token: from the journal, since who begins to watch the
    /// run after its start may see a later one first.
    /// </summary>
    public async Task<double?> FirstLossAsync(string name)
    {
        var curve = await new RunCurves(DatabaseAddress.Parse(null, Path.Combine(Root, "data"))).ReadAsync(new RunName(name), default);
        return curve!.Points.Single(p => p.Version == 0).Score?.LossNats;
    }

    /// <summary>Events in the journal.</summary>
    public long CountEvents(string data)
    {
        using var connection = new SqliteConnection($"Data Source={Path.Combine(Root, data, "journal.db")}");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT COUNT(*) FROM journal";
        return (long)command.ExecuteScalar()!;
    }

    public void Dispose()
    {
        try
        {
            Directory.Delete(Root, true);
        }
        catch (IOException e)
        {
            // Something wrote while it was deleted: what that was finds the one that has not ended.
            throw new IOException(
                $"{e.Message}; left: {string.Join(", ", Directory.EnumerateFiles(Root, "*", SearchOption.AllDirectories))}", e);
        }
    }

    private static string Word(int i) => (i * 2654435761L % 9973).ToString("x", CultureInfo.InvariantCulture);
}
