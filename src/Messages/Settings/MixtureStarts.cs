using System.Text.Json;
using Elastic.Foundation;

namespace Elastic.Messages.Settings;

/// <summary>A mixture, and where it begins.</summary>
/// <param name="Sample">Its first sample, counted from the start of the run.</param>
/// <param name="Mixture">Lines of <c>corpus.mixture</c>.</param>
public sealed record MixtureStart(long Sample, string[] Mixture);

/// <summary>
/// The mixtures that a run was changed to, as one text: orders carry it, and equal histories are equal texts. The empty text stands for a
/// run whose mixture never changed.
/// </summary>
public static class MixtureStarts
{
    /// <summary>The longest text: an order carries it beside <see cref="PartialSettings"/>.</summary>
    public const int MostCharacters = 16 << 10;

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
    };

    /// <summary>The text with one more mixture. Of two that begin with the same sample the later one counts.</summary>
    /// <exception cref="ElasticException">It becomes too long.</exception>
    public static string Add(string text, MixtureStart start)
    {
        ArgumentNullException.ThrowIfNull(start);
        MixtureStart[] starts = [.. Read(text).Where(m => m.Sample < start.Sample), start];
        return JsonSerializer.Serialize(starts, Json)
            is { Length: <= MostCharacters } all ? all : throw new ElasticException(
                $"the mixtures of the run would have more than {MostCharacters} characters in all: begin a new run from its checkpoint "
                + "(model.init)");
    }

    /// <summary>The mixtures, oldest first.</summary>
    /// <exception cref="ElasticException">It is no such text.</exception>
    public static IReadOnlyList<MixtureStart> Read(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text.Length == 0)
            return [];
        try
        {
            // From sample 0 on stands the mixture that the run was started with.
            return text.Length <= MostCharacters && JsonSerializer.Deserialize<MixtureStart[]>(text, Json) is [var first, ..] starts
                && first.Sample > 0 && starts.Zip(starts.Skip(1)).All(p => p.First.Sample < p.Second.Sample)
                && starts.All(m => m.Mixture.All(w => w is not null))
                ? starts
                : throw new ElasticException("the mixtures of the run are none that follow each other");
        }
        catch (JsonException e)
        {
            throw new ElasticException($"the mixtures of the run cannot be read: {OneLine.Of(e.Message)}", e);
        }
    }
}
