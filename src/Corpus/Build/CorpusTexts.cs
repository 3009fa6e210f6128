using System.Text;
using Elastic.Foundation;

namespace Elastic.Corpus.Build;

/// <summary>
/// A note beside the folder of a corpus that names the built texts it was made of: a takedown has to find each corpus that holds the
/// text, whoever builds it and with what other files. Written before the first shard.
/// </summary>
public static class CorpusTexts
{
    private const string Suffix = ".made-of";

    /// <summary>Notes of which built texts files are. Where none of them is of one, nothing is written.</summary>
    /// <param name="corpus">The folder of the corpus, which need not be there yet.</param>
    /// <param name="files">What the corpus is made of.</param>
    public static void Note(string corpus, IEnumerable<SourceFile> files)
    {
        ArgumentNullException.ThrowIfNull(files);
        var known = Of(corpus);
        var all = files.Select(f => Path.GetDirectoryName(f.Path)).OfType<string>().Distinct()
            .Select(BuiltText.WithFilesIn).OfType<BuiltText>().Select(t => t.Report.Id).Concat(known)
            .Distinct().Order(StringComparer.Ordinal).ToList();
        if (all.Count > known.Length)
            DurableFile.WriteDurably(PathOf(corpus), Encoding.UTF8.GetBytes(string.Concat(all.Select(id => id + "\n"))));
    }

    /// <summary>Whether the corpus in that folder was made of a text, as far as is noted.</summary>
    public static bool IsMadeOf(string corpus, BuiltText text)
    {
        ArgumentNullException.ThrowIfNull(text);
        // Of a corpus that was built alone from a text there is the table of its documents.
        return Of(corpus).Contains(text.Report.Id) || File.Exists(Path.Combine(corpus, MetadataTable.NameOf(text)));
    }

    /// <summary>Removes the note of a corpus that is gone.</summary>
    public static void Forget(string corpus) => File.Delete(PathOf(corpus));

    private static string[] Of(string corpus) => File.Exists(PathOf(corpus)) ? File.ReadAllLines(PathOf(corpus)) : [];

    private static string PathOf(string corpus) => Path.TrimEndingDirectorySeparator(corpus) + Suffix;
}
