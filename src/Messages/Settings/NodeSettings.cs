namespace Elastic.Messages.Settings;

/// <summary>
/// Block <c>node</c>: where a run is computed. Not part of a run's settings: how many devices there are, and where, does not change the
/// weights. What kind they are and <paramref name="ThreadsPerDevice"/> do; a run notes both as its arithmetic, and does not go on with another.
/// </summary>
/// <param name="Devices">"auto", "cpu:N" (N slots), "cuda:all" or "cuda:0,1".</param>
/// <param name="ThreadsPerDevice">Arithmetic threads of one CPU device. Another number gives other bits; two devices of one thread are as fast.</param>
/// <param name="DataDir">Holds the journal, the blobs, the corpora and the runs.</param>
/// <param name="Host">The address that the node binds.</param>
/// <param name="Port">The port of the control plane; 0 for any free one.</param>
/// <param name="HttpPort">The port of the data plane; 0 for any free one.</param>
/// <param name="PbmPort">The port for <c>pbm</c>, on seeds; 0 for any free one.</param>
/// <param name="Database">Where the journal is; null for a file in the data directory.</param>
/// <param name="Network">"lan", "cloud" or "spot": how soon silence is taken for death.</param>
/// <param name="CorporaDir">Built corpora, when not in the data directory: a disk that nodes share.</param>
public sealed record NodeSettings(
    string Devices, int ThreadsPerDevice, string DataDir, string Host, int Port, int HttpPort = 0, int PbmPort = 0, string? Database = null,
    string Network = "lan", string? CorporaDir = null)
{
    /// <inheritdoc cref="TrainingSettings.Problems"/>
    public IEnumerable<string> Problems()
    {
        if (ThreadsPerDevice is < 1 or > 1024)
            yield return $"node.threads-per-device = {ThreadsPerDevice}: use 1 to 1024";
        if (DataDir.Length == 0)
            yield return "node.data-dir is empty: name a folder";
        foreach (var (key, port) in new[] { ("port", Port), ("http-port", HttpPort), ("pbm-port", PbmPort) })
            if (port is < 0 or > 65535)
                yield return $"node.{key} = {port}: use 0 to 65535";
    }
}
