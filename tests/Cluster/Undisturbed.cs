namespace Elastic.Cluster.Tests;

/// <summary>What the scenarios' run comes to in one process that nothing happens to.</summary>
internal static class Undisturbed
{
    private static readonly Lazy<Task<string>> Fingerprint = new(TrainAsync);

    /// <summary>Trains when it is asked for the first time.</summary>
    public static Task<string> FingerprintAsync() => Fingerprint.Value;

    private static async Task<string> TrainAsync()
    {
        using var files = new TinyFiles();
        using var train = files.Train("undisturbed", config: files.ClusterConfig);
        return (await train.ResultAsync()).GetProperty("fingerprint").GetString()!;
    }
}
