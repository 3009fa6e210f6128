using Elastic.Foundation;

namespace Elastic.Corpus.Build;

/// <summary>
/// What one thread, or one node, reads in one go: a file of a source. What comes of it follows from the file's bytes and the stages alone,
/// so it is stored under a digest of these and found again by every build that has the same.
/// </summary>
/// <param name="Source">The source's number in the manifest.</param>
/// <param name="File">With the digest of its content.</param>
/// <param name="Identity">Of all that decides the documents, their texts and signals.</param>
public sealed record SourcePiece(int Source, SourceFile File, Digest Identity)
{
    /// <summary>Raised with each change to how pieces are read or stored.</summary>
    private const int Version = 1;

    /// <summary>The pieces of a manifest in key order. Reads every file once, to name it after its content.</summary>
    /// <exception cref="ElasticException">A source is missing, not supported, or holds no supported file.</exception>
    public static IEnumerable<SourcePiece> Of(BuildManifest manifest)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        return Find(manifest);
    }

    private static IEnumerable<SourcePiece> Find(BuildManifest manifest)
    {
        foreach (var (rank, source) in manifest.Sources.Index())
        {
            var files = CorpusSources.Find(source.Reading()).Files;
            if (files.FirstOrDefault(f => f.Format == DocumentFormat.LlmcShard) is { } tokens)
                throw new ElasticException($"{tokens.Path} (source {source.Name}) holds tokens, and stages read text: leave it out");
            foreach (var found in files)
            {
                var file = source.Html == HtmlText.Page ? found : found with { Reading = found.Reading with { MainText = true } };
                var (content, reading) = CorpusIdentity.OfFile(file);
                yield return new SourcePiece(rank, file with { Content = content }, IdentityOf(file, content, reading, source, manifest));
            }
        }
    }

    private static Digest IdentityOf(
        SourceFile file, Digest content, IReadOnlyList<string> reading, SourceSettings source, BuildManifest manifest) =>
        CorpusIdentity.OfTexts(
        [
            $"piece {Version} {CorpusIdentity.FormatVersion}", source.Name, file.Name, file.Format.ToString(), content.Hex,
            source.Licence ?? "", source.Language ?? "", string.Join('\n', reading),
            .. manifest.Stages.Select(stage => stage.ReadingIdentity),
        ]);
}
