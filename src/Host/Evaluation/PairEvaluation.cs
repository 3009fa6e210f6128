using System.Globalization;
using System.Text.Json.Nodes;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Host.Pbm;

namespace Elastic.Host.Evaluation;

/// <summary>BLEU and chrF of a file of hypotheses against files of references: line k of each belongs together.</summary>
internal static class PairEvaluation
{
    /// <summary>Writes the scores.</summary>
    /// <param name="files">The hypotheses, then the references.</param>
    /// <exception cref="ElasticException">A file is missing, or has more or fewer lines than the first.</exception>
    public static void Run(IReadOnlyList<string> files, TextWriter output, bool asJson)
    {
        var (bleu, chrf, lines) = (new Bleu(), new Chrf(), 0L);
        foreach (var line in Lines(files))
        {
            bleu.Add(line[0], line[1..]);
            chrf.Add(line[0], line[1..]);
            lines++;
        }
        if (lines == 0)
            throw new ElasticException($"{files[0]} has no lines: there is nothing to score");
        var score = bleu.Score();
        if (asJson)
        {
            output.WriteLine(new JsonObject
            {
                ["lines"] = lines,
                ["bleu"] = new JsonObject
                {
                    ["score"] = score.Score,
                    ["precisions"] = new JsonArray([.. score.Precisions.Select(p => (JsonNode)p)]),
                    ["brevityPenalty"] = score.BrevityPenalty,
                    ["hypothesisWords"] = score.HypothesisWords,
                    ["referenceWords"] = score.ReferenceWords,
                    ["signature"] = bleu.Signature,
                },
                ["chrf"] = new JsonObject { ["score"] = chrf.Score(), ["signature"] = chrf.Signature },
            }.ToJsonString());
            return;
        }
        foreach (var line in Table.Lay(
            ["METRIC", ">SCORE", "SIGNATURE"],
            [["BLEU", Show(score.Score), bleu.Signature], ["chrF2", Show(chrf.Score()), chrf.Signature]]))
            output.WriteLine(line);
        output.WriteLine($"BLEU {score}");
    }

    private static string Show(double score) => score.ToString("0.00", CultureInfo.InvariantCulture);

    private static IEnumerable<string[]> Lines(IReadOnlyList<string> files)
    {
        var readers = new List<BoundedLines>();
        try
        {
            foreach (var file in files)
                readers.Add(BoundedLines.Open(file, "--pairs", "file of pairs"));
            for (var number = 1L; ; number++)
            {
                var lines = readers.Select(reader => reader.Read()).ToArray();
                if (lines.All(l => l is null))
                    yield break;
                if (Array.FindIndex(lines, l => l is null) is >= 0 and var ended)
                    throw new ElasticException(
                        $"{files[ended]} ends after {number - 1} lines, and {files[Array.FindIndex(lines, l => l is not null)]} goes on: "
                        + "line k of each file belongs together");
                yield return lines!;
            }
        }
        finally
        {
            readers.ForEach(r => r.Dispose());
        }
    }
}
