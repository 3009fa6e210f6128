using System.Globalization;
using Elastic.Foundation;

namespace Elastic.Actors.Hosting;

/// <summary>A GPU, or a logical device of it, as in "cuda:0" and "cuda:0#1".</summary>
/// <param name="Part">The logical device; null for the whole GPU.</param>
internal readonly record struct GpuName(int Gpu, int? Part)
{
    /// <inheritdoc/>
    public override string ToString() => Part is { } part
        ? string.Create(CultureInfo.InvariantCulture, $"{Gpu}#{part}")
        : Gpu.ToString(CultureInfo.InvariantCulture);
}

/// <summary>Reads what is behind "cuda:", e.g. "0,2" or "0#0,0#1,1".</summary>
internal static class GpuNames
{
    /// <summary>The devices in the order of their numbers; null where the text has another form.</summary>
    /// <param name="mostParts">Logical devices that a GPU offers.</param>
    /// <param name="option">Where the text comes from, for messages.</param>
    /// <exception cref="ElasticException">A device is named twice, or a GPU whole and in parts, or there are too many parts.</exception>
    public static IReadOnlyList<GpuName>? Parse(string list, int mostParts, string option)
    {
        var names = new List<GpuName>();
        foreach (var word in list.Split(','))
        {
            if (Read(word) is not { } name)
                return null;
            if (names.Contains(name))
                throw new ElasticException($"{option} names device {name} twice: name each once");
            if (name.Part >= mostParts)
                throw new ElasticException(
                    $"{option} names cuda:{name}: a GPU has at most {mostParts} logical devices, #0 to #{mostParts - 1}");
            names.Add(name);
        }

        if (names.FirstOrDefault(n => n.Part is not null && names.Contains(new(n.Gpu, null)), new(-1, null)) is { Gpu: >= 0 } both)
            throw new ElasticException(
                $"{option} names cuda:{both.Gpu} and cuda:{both}: name the GPU, or its logical devices");
        return [.. names.OrderBy(n => n.Gpu).ThenBy(n => n.Part)];
    }

    private static GpuName? Read(string word) => word.Split('#') switch
    {
        [var gpu] when Number(gpu) is { } number => new GpuName(number, null),
        [var gpu, var part] when Number(gpu) is { } number && Number(part) is { } of => new GpuName(number, of),
        _ => null,
    };

    private static int? Number(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;
}
