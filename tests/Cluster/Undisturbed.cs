using System.Collections.Concurrent;

namespace Elastic.Cluster.Tests;

/// <summary>What the scenarios' run comes to in one <c>elastic train</c> that nothing happens to.</summary>
internal static class Undisturbed
{
    private static readonly ConcurrentDictionary<string, Lazy<Task<string>>> Fingerprints = [];

    /// <summary>Trains when it is asked for the first time.</summary>
    /// <param name="settings">"key=value", on top of the configuration; only those that change the weights.</param>
    public static Task<string> FingerprintAsync(params string[] settings) =>
        Fingerprints.GetOrAdd(string.Join(' ', settings), _ => new Lazy<Task<string>>(() => TrainAsync(settings))).Value;

    /// <summary>The same with settings that change in mid-run.</summary>
    /// <param name="changes">Lines of the file of <c>elastic train --changes</c>.</param>
    public static Task<string> ChangedAsync(string[] changes, params string[] settings) => TrainAsync(settings, changes);

    private static async Task<string> TrainAsync(string[] settings, string[]? changes = null)
    {
        using var files = new TinyFiles();
        using var train = Here.Run(files.Train("undisturbed", "cpu:2", files.ClusterConfig, settings, changes));
        return (await train.ResultAsync()).GetProperty("fingerprint").GetString()!;
    }
}
