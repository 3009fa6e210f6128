using System.Buffers;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Elastic.Foundation;
using Elastic.Storage;
using Microsoft.Win32.SafeHandles;

namespace Elastic.Transfer;

/// <summary>One large file, in pieces from several peers at once. A later attempt goes on where this one ended.</summary>
/// <remarks>
/// The .part file holds the file's bytes in their places, then one byte per piece, 1 where the piece was received. It is cut to the
/// file's length when all bytes are verified. A power cut may leave a mark whose piece never reached the disk: the digest shows that, as
/// it shows wrong bytes, and the file is then fetched anew from one peer, so that a peer that sends wrong bytes is known.
/// </remarks>
/// <param name="mostBytes">A peer that names more is not believed: its word alone would fill the disk.</param>
public sealed class FileDownload(HttpClient http, Peers peers, Digest digest, string path, long mostBytes = long.MaxValue)
{
    /// <summary>Large against the bytes of a round trip, small against a file.</summary>
    public const int PieceBytes = 8 << 20;

    private const int HashBytes = 256 << 10;

    // The digest in the name separates the pieces of this file from those of another file for the same path.
    private readonly string _part = $"{path}.{digest.Short}.part";

    public async Task RunAsync(CancellationToken cancel)
    {
        if (await IsThereAsync(cancel))
            return;
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        using (var file = File.OpenHandle(_part, FileMode.OpenOrCreate, FileAccess.ReadWrite))
        {
            if (!await InPiecesAsync(file, await LengthAsync(cancel), cancel))
            {
                RandomAccess.SetLength(file, 0);
                using var sink = new FileSink(file, mostBytes: mostBytes);
                await BlobDownload.WholeAsync(http, peers, digest, null, sink, cancel, mixing: false);
                RandomAccess.SetLength(file, sink.Length);
            }

            // A disk may write the name before the bytes that it stands for: after a power cut the file would be there, with other bytes.
            RandomAccess.FlushToDisk(file);
        }

        File.Move(_part, path, overwrite: true);
        DurableFile.FlushFolder(Path.GetDirectoryName(path)!);
    }

    private async Task<bool> IsThereAsync(CancellationToken cancel)
    {
        if (!File.Exists(path))
            return false;
        await using var file = File.OpenRead(path);
        return await Digest.OfAsync(file, cancel) == digest;
    }

    private async Task<long> LengthAsync(CancellationToken cancel)
    {
        var selection = new PeerSelection(peers, digest, digest);
        while (true)
        {
            using var peer = await selection.NextAsync(cancel);
            using var stall = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            stall.CancelAfter(peers.Limits.Stall);
            try
            {
                using var request = new HttpRequestMessage(HttpMethod.Head, BlobDownload.UriOf(peer.Endpoint, digest));
                using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stall.Token);
                var named = response.IsSuccessStatusCode ? response.Content.Headers.ContentLength : null;
                if (named <= mostBytes)
                {
                    peer.Had();
                    return named.Value;
                }

                if (response.StatusCode == HttpStatusCode.NotFound)
                    peer.Lacked();
                else
                    peer.Failed();
                selection.Note(peer, (response.StatusCode, named) switch
                {
                    (HttpStatusCode.NotFound, _) => "does not have it",
                    (_, { } bytes) => string.Create(CultureInfo.InvariantCulture, $"has {bytes} bytes, more than {mostBytes}"),
                    var (status, _) => string.Create(CultureInfo.InvariantCulture, $"answered {(int)status} without the length"),
                });
            }
            catch (Exception e) when ((e is HttpRequestException or IOException or SocketException or OperationCanceledException)
                && !cancel.IsCancellationRequested)
            {
                peer.Failed();
                selection.Note(peer, e.Message);
            }
        }
    }

    // Returns false when the pieces do not give the digest, or the peers do not agree on the length.
    private async Task<bool> InPiecesAsync(SafeFileHandle file, long length, CancellationToken cancel)
    {
        var pieces = checked((int)((length + PieceBytes - 1) / PieceBytes));
        var there = Enumerable.Range(0, pieces)
            .Select(_ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).ToArray();
        foreach (var piece in PiecesIn(file, length, pieces))
            there[piece].SetResult();

        // Hashes the pieces in their order, while they are in the page cache and others are being received.
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var hashing = Task.Run(() => HashAsync(file, length, there, stop.Token), cancel);
        var disputed = false;
        try
        {
            var missing = Enumerable.Range(0, pieces).Where(piece => !there[piece].Task.IsCompleted);
            var parallel = new ParallelOptions { MaxDegreeOfParallelism = peers.Limits.Total, CancellationToken = cancel };
            await Parallel.ForEachAsync(missing, parallel, async (piece, halt) =>
            {
                var first = (long)piece * PieceBytes;
                var count = Math.Min(PieceBytes, length - first);
                using var sink = new FileSink(file, first, count);
                using var download = BlobDownload.OfRange(http, peers, digest, sink, first, count, length);
                try
                {
                    await download.RunAsync(halt);
                }
                finally
                {
                    // Several pieces may write at once: they only ever write true.
                    if (download.Disputed)
                        disputed = true;
                }

                RandomAccess.Write(file, [1], length + piece);
                there[piece].SetResult();
            });
            if (await hashing != digest)
                return false;
        }
        catch (BlobLostException) when (disputed)
        {
            return false;
        }
        finally
        {
            await stop.CancelAsync();
            await ((Task)hashing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        RandomAccess.SetLength(file, length);
        return true;
    }

    // The pieces of an earlier attempt. Clears a file of another layout.
    private static List<int> PiecesIn(SafeFileHandle file, long length, int pieces)
    {
        if (RandomAccess.GetLength(file) == length + pieces)
        {
            var marks = new byte[pieces];
            if (RandomAccess.Read(file, marks, length) == pieces)
                return [.. Enumerable.Range(0, pieces).Where(piece => marks[piece] == 1)];
        }

        RandomAccess.SetLength(file, 0);
        RandomAccess.SetLength(file, length + pieces);
        return [];
    }

    private static async Task<Digest> HashAsync(SafeFileHandle file, long length, TaskCompletionSource[] there, CancellationToken cancel)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = ArrayPool<byte>.Shared.Rent(HashBytes);
        try
        {
            for (var offset = 0L; offset < length;)
            {
                await there[offset / PieceBytes].Task.WaitAsync(cancel);
                // Never reads beyond the received piece.
                var most = (int)Math.Min(Math.Min(HashBytes, length - offset), PieceBytes - offset % PieceBytes);
                var read = RandomAccess.Read(file, buffer.AsSpan(0, most), offset);
                if (read == 0)
                    throw new EndOfStreamException("the .part file became shorter while it was read");
                hash.AppendData(buffer, 0, read);
                offset += read;
            }

            return Digest.Of(hash);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
