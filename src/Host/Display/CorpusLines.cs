using System.Text.Json.Nodes;
using Elastic.Corpus;

namespace Elastic.Host.Display;

/// <summary>Describes a built corpus in words.</summary>
internal static class CorpusLines
{
    private const int SourcesShown = 5;
    private const int RemarksShown = 3;

    /// <summary>The contents, the repairs that reading made, and the folder.</summary>
    public static IEnumerable<string> Of(BuiltCorpus corpus)
    {
        var manifest = corpus.Manifest;
        yield return $"corpus {manifest.Id.Short}   {Units.Count(manifest.Documents, "document")}, {Units.Bytes(manifest.Bytes)}, " +
                     Units.Count(manifest.Tokens, $"{manifest.Tokenizer} token");
        yield return $"  held out   {Units.Count(manifest.HeldOut.Documents, "document")}, {Units.Bytes(manifest.HeldOut.Bytes)}, " +
                     Units.Count(manifest.HeldOut.Tokens, "token");
        foreach (var source in manifest.Sources.OrderByDescending(s => s.Tokens).Take(SourcesShown))
            yield return $"  source     {source.Name}: {Units.Count(source.Documents, "document")}, "
                + Units.Count(source.Tokens, "token");
        if (manifest.Sources.Count > SourcesShown)
            yield return $"  source     and {manifest.Sources.Count - SourcesShown} more";
        foreach (var repair in Repairs(corpus))
            yield return $"  repaired   {repair}";
        yield return $"  folder     {corpus.Folder}, "
            + Units.Many(manifest.TrainShards.Count + manifest.HeldOutShards.Count, "shard");
    }

    /// <summary>The contents and the folder as JSON for programs, with all sources.</summary>
    public static JsonObject Json(BuiltCorpus corpus)
    {
        var manifest = corpus.Manifest;
        return new JsonObject
        {
            ["corpus"] = manifest.Id.Hex,
            ["folder"] = corpus.Folder,
            ["tokenizer"] = manifest.Tokenizer,
            ["documents"] = manifest.Documents,
            ["bytes"] = manifest.Bytes,
            ["tokens"] = manifest.Tokens,
            ["heldOut"] = new JsonObject
            {
                ["documents"] = manifest.HeldOut.Documents,
                ["bytes"] = manifest.HeldOut.Bytes,
                ["tokens"] = manifest.HeldOut.Tokens,
            },
            ["sources"] = new JsonArray([.. manifest.Sources.Select(s => new JsonObject
            { ["source"] = s.Name, ["documents"] = s.Documents, ["tokens"] = s.Tokens })]),
            ["shards"] = manifest.TrainShards.Count + manifest.HeldOutShards.Count,
        };
    }

    /// <summary>The repairs of the text, and the first files of each: never an error, but nobody should have to guess them.</summary>
    public static IEnumerable<string> Repairs(BuiltCorpus corpus)
    {
        var manifest = corpus.Manifest;
        if (manifest.InvalidUtf8Sequences > 0)
            yield return Units.Many(manifest.InvalidUtf8Sequences, "byte sequence") + " not in the file's encoding, replaced by U+FFFD; " +
                         "where a file is in another encoding, corpus.encoding says so";
        foreach (var line in corpus.Remarks(MalformedRecord.RepairedFileName, RemarksShown))
            yield return $"  {line}";
        if (manifest.MalformedRecords > 0)
            yield return Units.Many(manifest.MalformedRecords, "record") + " not readable, left out";
        foreach (var line in corpus.Remarks(MalformedRecord.FileName, RemarksShown))
            yield return $"  {line}";
        if (manifest.EmptyDocuments > 0)
            yield return Units.Many(manifest.EmptyDocuments, "document") + " without text, left out";
    }
}
