using Elastic.Foundation.Certificates;

namespace Elastic.Messages.Pbm;

/// <summary>
/// What pbm shows to a seed that has no certificates. A file that only the seed's user can read holds it: whoever merely reaches the port,
/// another user of the machine or a web page in a browser there, does not control the runs.
/// </summary>
public static class PbmToken
{
    /// <summary>The file's name in a data directory.</summary>
    public const string FileName = "pbm-token";

    private static readonly TokenWords Words = new(
        "the token for pbm", "who can control the runs with it",
        $"copy {FileName} from the seed's data directory; where this is that file, delete it, and the seed makes another one when it "
        + "starts");

    /// <summary>The path of a data directory's token.</summary>
    public static string PathIn(string dataDir) => Path.GetFullPath(Path.Combine(dataDir, FileName));

    /// <summary>The token of a seed's data directory; draws it at the seed's first start, and keeps it.</summary>
    /// <inheritdoc cref="SecretToken.Read"/>
    public static SecretToken OfSeed(string dataDir) => SecretToken.ReadOrDraw(PathIn(dataDir), Words);

    /// <inheritdoc cref="SecretToken.Read"/>
    public static SecretToken Read(string path) => SecretToken.Read(path, Words);
}
