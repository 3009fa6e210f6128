using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Elastic.Actors.Control;
using Elastic.Foundation;
using Elastic.Host.Display;
using Elastic.Messages.Pbm;
using Elastic.Messages.Runs;
using Elastic.Storage;

namespace Elastic.Host.Pbm;

/// <summary>Sends the newest checkpoint of a run to a client, which checks it.</summary>
internal static class RunFetch
{
    /// <exception cref="ElasticException">There is no checkpoint, or nobody here has one, or it is damaged.</exception>
    public static async IAsyncEnumerable<PbmLine> LinesAsync(
        IClusterControl control, RunView run, [EnumeratorCancellation] CancellationToken cancel)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var (placing, said) = Said.Begin(4, progress => control.PlaceCheckpointAsync(run.Name, progress, stop.Token), default);
        await foreach (var line in Said.OrEnd(placing, said, stop))
            yield return new PbmLine(line, new JsonObject { ["run"] = run.Name.Value, ["progress"] = line });
        using var place = await placing;
        foreach (var line in place.PassedOver)
            yield return new PbmLine(line, new JsonObject { ["run"] = run.Name.Value, ["notice"] = line });
        var files = CheckpointContent.Of(place.Path);
        var name = Path.GetFileNameWithoutExtension(place.Path);
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
