using Elastic.Host.Pbm;
using Elastic.Messages.Pbm;
using Elastic.Messages.Runs;

namespace Elastic.Host.Tests.Pbm;

/// <summary>Commands of the palettes, given to a fake cluster as a client gives them.</summary>
internal static class PaletteCalls
{
    /// <summary>Who gives them.</summary>
    public static readonly Origin Asker = new("1", "pbm anna@gpu7", DateTimeOffset.UnixEpoch);

    /// <param name="words">Palette and command, e.g. "run set".</param>
    public static PaletteCommand Command(this FakeCluster cluster, string words, TimeProvider? time = null) =>
        ControlPalettes.Of(cluster, time ?? TimeProvider.System).Single(p => p.Name == words.Split(' ')[0])
            .Commands.Single(c => c.Help.Name == words.Split(' ')[1]);

    /// <summary>What the command says, as it comes.</summary>
    public static IAsyncEnumerable<PbmLine> Call(
        this PaletteCommand command, CancellationToken cancel, params IEnumerable<(string Argument, string Value)> values) =>
        command.Handler(PbmCall.Of(command.Help, [.. values.Select(v => new CallValue(v.Argument, v.Value))], Asker), cancel);

    /// <summary>All that the command says.</summary>
    public static async Task<List<PbmLine>> LinesAsync(
        this PaletteCommand command, params IEnumerable<(string Argument, string Value)> values)
    {
        var lines = new List<PbmLine>();
        await foreach (var line in command.Call(TestContext.Current.CancellationToken, values))
            lines.Add(line);
        return lines;
    }

    /// <summary>All that it says to people.</summary>
    public static async Task<List<string>> TextsAsync(
        this PaletteCommand command, params IEnumerable<(string Argument, string Value)> values) =>
        [.. (await command.LinesAsync(values)).Select(l => l.Text).OfType<string>()];
}
