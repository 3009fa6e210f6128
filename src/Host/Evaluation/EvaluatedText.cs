using System.Text;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Host.Configuration;
using Elastic.Host.Display;
using Elastic.Messages.Settings;
using Elastic.Model.Evaluation;

namespace Elastic.Host.Evaluation;

/// <summary>Files and folders of text that a model is scored on, read as a corpus is.</summary>
internal sealed class EvaluatedText
{
    private readonly string _where;
    private readonly SourceSet _found;
    private readonly ReadStatistics _statistics = new();
    private readonly int _context;

    /// <param name="option">Where the files are named, e.g. "--data".</param>
    /// <param name="sources">Files and folders.</param>
    /// <param name="corpus">How the run reads its own files; which of them, <paramref name="sources"/> says.</param>
    /// <param name="chat">The run's copy of its tokenizer's chat template; null where it has none.</param>
    /// <param name="context">Tokens that the model sees at once.</param>
    /// <param name="stride">Null for disjoint windows.</param>
    /// <exception cref="ElasticException">There is no such file, or it holds tokens.</exception>
    public EvaluatedText(string option, IReadOnlyList<string> sources, CorpusSettings corpus, ChatFormat? chat, int context, int? stride)
    {
        _where = $"{option} {string.Join(' ', sources)}";
        if (sources.FirstOrDefault(s => !Path.Exists(s)) is { } missing)
            throw new NotFoundException($"{option} {missing}: there is no such file or folder");
        if (stride is < 1 || stride > context)
            throw new SettingsException([$"--stride {stride}: use 1 to the model's context, {context}"]);
        (_context, Stride) = (context, stride ?? context);
        _found = CorpusSources.Find(corpus with { Sources = sources, Validation = [], Include = [], Exclude = [] }, chat);
        if (CorpusSources.AreTokenShards(_found.Files))
            throw new ElasticException($"{_found.Files[0].Path} holds tokens, and bits per byte are those of text: name files of text");
    }

    /// <summary>Tokens from one window to the next.</summary>
    public int Stride { get; }

    /// <summary>
    /// The rows of the text. A plain text stands behind an end of text, which gives its first token a context. An instruction or a
    /// conversation is what training makes of it: prompts are read, answers and what ends them are scored.
    /// </summary>
    public IEnumerable<TextRow> Rows(Tokenizer tokenizer, CancellationToken cancel)
    {
        foreach (var document in _found.Files.SelectMany(f => DocumentReader.Read(f, _statistics)))
        {
            cancel.ThrowIfCancellationRequested();
            var elements = new List<int>();
            if (document.Prompt is null && document.Pieces is null)
            {
                elements.Add(tokenizer.EndOfText);
                tokenizer.Encode(document.Text, elements, cancel);
            }
            else
                BatchTokenizer.Encode(tokenizer, document, elements, cancel);
            var bytes = Encoding.UTF8.GetByteCount(document.Text);
            foreach (var row in TextRow.Of(document.Source, document.Language, elements.ToArray(), bytes, _context, Stride))
                yield return row;
        }
    }

    /// <summary>What people should know of the reading, once it is over.</summary>
    public IEnumerable<string> Notices()
    {
        if (_found.PassedOver.ToString() is { Length: > 0 } passedOver)
            yield return passedOver;
        if (_statistics.MalformedRecords > 0)
            yield return Units.Many(_statistics.MalformedRecords, "record") + " not readable, left out";
    }

    /// <summary>The sums, where there are any.</summary>
    /// <exception cref="ElasticException">There was no text.</exception>
    public TextSums Checked(TextSums sums) =>
        sums.Total.Targets > 0 ? sums : throw new ElasticException($"{_where}: there is no text in it");
}
