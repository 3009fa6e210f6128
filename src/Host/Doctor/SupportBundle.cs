using System.IO.Compression;
using System.Text;
using System.Text.Json;
using Elastic.Foundation;
using Elastic.Host.Ops;
using Elastic.Host.Pbm;
using Elastic.Messages.Pbm;
using Elastic.Storage;

namespace Elastic.Host.Doctor;

/// <summary>
/// One archive for whoever helps: the findings, the ends of the logs, the runs with their settings and what was observed of them. No
/// weights, no text, no keys; a token that a log should not have and has is written as ***.
/// </summary>
internal sealed class SupportBundle
{
    private const int TailBytes = 4 << 20;
    private const int Observations = 20_000;

    private readonly DataDirectory _data;
    private readonly string[] _secrets;

    public SupportBundle(DataDirectory data)
    {
        _data = data;
        _secrets = [.. new[] { PbmToken.FileName, OpsToken.FileName }.Select(name => Path.Combine(data.Root, name)).Where(File.Exists)
            .Select(path => RegularFile.ReadText(path, 1024).Trim()).Where(secret => secret.Length > 0)];
    }

    /// <summary>Writes the archive.</summary>
    /// <param name="findings">As <c>elastic doctor</c> shows them.</param>
    /// <param name="database">The journal; null where there is none.</param>
    /// <returns>The names in it.</returns>
    /// <exception cref="ElasticException">The file is there, or cannot be written.</exception>
    public async Task<IReadOnlyList<string>> WriteAsync(
        string path, string findings, DatabaseAddress? database, CancellationToken cancel)
    {
        if (File.Exists(path))
            throw new ElasticException($"{path} is there already: name another file with --bundle");
        WritePlace.Check(path, "--bundle");
        return await WritePlace.WriteAsync(path, "name another file with --bundle", async () =>
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            var temporary = DurableFile.TemporaryPath(path);
            try
            {
                var names = await WriteToAsync(temporary, findings, database, cancel);
                File.Move(temporary, path);
                return names;
            }
            finally
            {
                File.Delete(temporary);
            }
        });
    }

    private async Task<IReadOnlyList<string>> WriteToAsync(
        string path, string findings, DatabaseAddress? database, CancellationToken cancel)
    {
        using var archive = ZipFile.Open(path, ZipArchiveMode.Create);
        List<string> names = [];
        Add("doctor.txt", findings);
        foreach (var log in new[] { Path.GetFileName(_data.LogFile), "node.log", CommandLog.FileName })
            AddTail(Path.Combine(_data.Root, log));
        foreach (var run in _data.RunIds)
            AddTail(_data.Run(run).LogFile);
        if (database is not null)
            await AddDatabaseAsync(database, Add, cancel);
        return names;

        void AddTail(string file)
        {
            if (File.Exists(file))
                Add(Path.GetRelativePath(_data.Root, file).Replace('\\', '/'), Tail(file, TailBytes));
            // A log that was put aside a moment ago has the lines before those.
            if (new LogFile(file).Older is var older && File.Exists(older)
                && TailBytes - (File.Exists(file) ? new FileInfo(file).Length : 0) is > 0 and var rest)
                Add(Path.GetRelativePath(_data.Root, older).Replace('\\', '/'), Tail(older, rest));
        }

        void Add(string name, string text)
        {
            names.Add(name);
            using var writer = new StreamWriter(archive.CreateEntry(name).Open());
            writer.Write(_secrets.Aggregate(text, (t, secret) => t.Replace(secret, "***", StringComparison.Ordinal)));
        }
    }

    private static async Task AddDatabaseAsync(DatabaseAddress database, Action<string, string> add, CancellationToken cancel)
    {
        try
        {
            foreach (var run in await StoredRuns.ReadAsync(database, cancel))
                add($"runs/{run.Id}/settings.txt", run.State?.Settings ?? run.Problem ?? "");
            var store = new ObservationStore(database.ReadOnly());
            var text = new StringBuilder();
            var last = Math.Max(0, await store.NewestAsync(cancel) - Observations);
            while (await store.ReadAsync(new ObservationQuery(last), cancel) is { Count: > 0 } some)
            {
                foreach (var observed in some)
                    text.AppendLine(JsonSerializer.Serialize(new { observed.Id, observed.At, observed.Kind }) + " " + observed.Payload);
                last = some[^1].Id;
            }

            add("observations.txt", text.ToString());
        }
        catch (DatabaseUnavailableException e)
        {
            add("observations.txt", $"the database cannot be read: {e.Message}");
        }
    }

    private static string Tail(string file, long bytes)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        stream.Position = Math.Max(0, stream.Length - bytes);
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
