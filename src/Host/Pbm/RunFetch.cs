using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Elastic.Foundation;
using Elastic.Host.Display;
using Elastic.Messages.Pbm;
using Elastic.Messages.Runs;
using Elastic.Storage;

namespace Elastic.Host.Pbm;

/// <summary>Sends the newest checkpoint of a run to a client, which checks it.</summary>
internal static class RunFetch
{
    /// <exception cref="ElasticException">There is no checkpoint, or not on this machine, or it is damaged.</exception>
    public static async IAsyncEnumerable<PbmLine> LinesAsync(RunView run, [EnumeratorCancellation] CancellationToken cancel)
    {
        var path = run.Checkpoint ?? throw new ElasticException(
            $"run {run.Name} has no checkpoint yet: it takes one every checkpoint.every-rounds rounds, and at its end");
        if (!File.Exists(path))
            throw new ElasticException(
                $"the newest checkpoint of run {run.Name} ({Path.GetFileName(path)}) is not on this seed: ask another one, "
                + "or copy it from the machine that took it");
        var files = CheckpointContent.Of(path);
        var name = Path.GetFileNameWithoutExtension(path);
        var bytes = files.Sum(f => f.Bytes);
        yield return new PbmLine($"{name} of run {run.Name}: {Units.Many(files.Count, "file")}, {Units.Bytes(bytes)}", new JsonObject
        {
            ["run"] = run.Name.Value,
            ["files"] = files.Count,
            ["bytes"] = bytes,
        });
        foreach (var file in files)
        {
            await foreach (var piece in PiecesAsync(file, cancel))
                yield return new PbmLine(null) { Piece = piece };
        }
    }

    private static async IAsyncEnumerable<PbmMessage.FilePiece> PiecesAsync(
        CheckpointFile file, [EnumeratorCancellation] CancellationToken cancel)
    {
        await using var stream = Open(file);
        var buffer = new byte[PbmMessage.FilePiece.MostBytes];
        int read;
        do
        {
            read = await stream.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancel);
            yield return new PbmMessage.FilePiece(file.Name, buffer[..read], IsLast: read < buffer.Length);
        }
        while (read == buffer.Length);
    }

    private static FileStream Open(CheckpointFile file)
    {
        try
        {
            return new FileStream(file.Path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, 1, useAsync: true);
        }
        catch (IOException e)
        {
            throw new ElasticException("a newer checkpoint has taken this one's place meanwhile: fetch that one", e);
        }
    }
}
