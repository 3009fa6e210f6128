using System.Text;
using Elastic.Foundation;
using Elastic.Messages;

namespace Elastic.Storage;

/// <summary>Where things are under a data directory.</summary>
/// <param name="CorporaFolder">Where built corpora are, when not under the root: a disk that nodes share.</param>
public sealed record DataPaths(string Root, string? CorporaFolder = null)
{
    public string Journal => Path.Combine(Root, "journal.db");

    /// <summary>What SQLite has beside the journal: parts of it, where they are left after its end.</summary>
    public IReadOnlyList<string> BesideJournal => [$"{Journal}-wal", $"{Journal}-shm", $"{Journal}-journal"];

    /// <summary>Holds the id of the node that this directory belongs to.</summary>
    public string NodeId => Path.Combine(Root, "node-id");

    /// <summary>The seeds that a worker has seen.</summary>
    public string KnownSeeds => Path.Combine(Root, "known-seeds");

    public string Corpora => CorporaFolder ?? Path.Combine(Root, "corpora");

    /// <summary>Clean text that builds made of their sources: a folder each.</summary>
    public string Texts => Path.Combine(Root, "texts");

    /// <summary>Pieces of sources that were read through the stages of a build, which other builds use again.</summary>
    public string Pieces => Path.Combine(Root, "pieces");

    /// <summary>Tokens that builds of corpora by nodes have made, and whose shards are not all written.</summary>
    public string Tokens => Path.Combine(Root, "tokens");

    /// <summary>The tokens of one build.</summary>
    public string TokensOf(string build) => Path.Combine(Tokens, build);

    /// <summary>Files of sources that were fetched from the web.</summary>
    public string Downloads => Path.Combine(Root, "downloads");

    /// <summary>Folders of models that were fetched from stores, for runs that start from them.</summary>
    public string Models => Path.Combine(Root, "models");

    /// <summary>
    /// All folders that built corpora of this directory may be in: the one of now, the directory's own, which has those from before
    /// node.corpora-dir was set, and those that processes have noted here, for commands that are not told the setting.
    /// </summary>
    public IReadOnlyList<string> AllCorpora =>
        [.. new[] { Corpora, Path.Combine(Root, "corpora") }.Concat(NotedCorpora).Select(Path.TrimEndingDirectorySeparator).Distinct()];

    private string CorporaNote => Path.Combine(Root, "corpora-dir");

    private string[] NotedCorpora => File.Exists(CorporaNote) ? File.ReadAllLines(CorporaNote) : [];

    /// <summary>Makes the folder of built corpora, if it is not there, and notes where it is.</summary>
    /// <exception cref="ElasticException">It cannot be made.</exception>
    public void MakeCorpora()
    {
        try
        {
            Directory.CreateDirectory(Corpora);
        }
        catch (Exception e) when (CorporaFolder is not null && e is IOException or UnauthorizedAccessException)
        {
            throw new ElasticException(
                $"node.corpora-dir = {CorporaFolder} cannot be created ({e.Message}): name a folder that this user may write, or leave it "
                + "out", e);
        }

        if (CorporaFolder is not null && !NotedCorpora.Contains(CorporaFolder))
            DurableFile.WriteDurably(
                CorporaNote, Encoding.UTF8.GetBytes(string.Concat(NotedCorpora.Append(CorporaFolder).Select(folder => folder + "\n"))));
    }

    /// <summary>The folder of one built corpus: where it is, in any of <see cref="AllCorpora"/>; else where it is built.</summary>
    public string Corpus(Digest id) =>
        AllCorpora.Select(folder => Path.Combine(folder, id.Hex)).FirstOrDefault(Directory.Exists) ?? Path.Combine(Corpora, id.Hex);

    /// <summary>A corpus that was fetched from other nodes, perhaps not all of it.</summary>
    public string FetchedCorpus(Digest id) => Path.Combine(FetchedCorpora, id.Hex);

    /// <summary>Corpora that were fetched from other nodes.</summary>
    public string FetchedCorpora => Path.Combine(Root, "corpora-fetched");

    /// <summary>Files that hold a part of the memory of replicas in training; nameless while they are in use.</summary>
    public string Offload => Path.Combine(Root, "offload");

    /// <summary>The folders of all runs.</summary>
    public string Runs => Path.Combine(Root, "runs");

    /// <summary>The folder of one run.</summary>
    public string Run(RunId run) => Path.Combine(Runs, run.Value);

    /// <summary>A run's blobs. Each run has its own, so that one run's retention never touches another's.</summary>
    public string Blobs(RunId run) => Path.Combine(Run(run), "blobs");

    /// <summary>What evaluations over nodes need while they last.</summary>
    public string Evaluations => Path.Combine(Root, "evaluations");

    /// <summary>What one evaluation needs: apart for who asks for it, and who works for it.</summary>
    public string Evaluation(RunId job, bool isAsker) => Path.Combine(Evaluations, job.Value + (isAsker ? ".asked" : ""));

    /// <summary>A checkpoint that was fetched for one command, in a folder like that of a run.</summary>
    public string FetchedCheckpoint(RunId run, string drawn) => Path.Combine(Evaluations, $"{run.Value}.{drawn}.fetched");

    /// <summary>What builds of corpora by nodes need while they last.</summary>
    public string Builds => Path.Combine(Root, "builds");

    /// <summary>What one build needs: apart for who asks for it, and who works for it.</summary>
    public string Build(RunId job, bool isAsker) => Path.Combine(Builds, job.Value + (isAsker ? ".asked" : ""));

    public string Checkpoints(RunId run) => Path.Combine(Run(run), "checkpoints");
}
