using System.Net;
using Elastic.Foundation;
using Elastic.Messages.Pbm;

namespace Elastic.Pbm;

/// <summary>The token that pbm shows to a seed without certificates.</summary>
internal static class OwnToken
{
    /// <summary>The environment variable that names another default.</summary>
    public const string Variable = "ELASTIC_PBM_TOKEN_FILE";

    /// <summary>
    /// The token in the file that was named, else, for a seed of this machine, in its data directory; null where there is none. To be read
    /// for each connection: a seed makes its token when it starts for the first time.
    /// </summary>
    /// <param name="given">From the command line.</param>
    /// <param name="seed">Where it is sent to.</param>
    /// <exception cref="PbmException">The file that was named has none, or others can read it.</exception>
    public static string? Read(string? given, Endpoint seed)
    {
        try
        {
            if ((given ?? OwnFiles.Variable(Variable)) is { } named)
                return PbmToken.Read(Path.GetFullPath(named)).Secret;
            var own = OwnFiles.InDataDirectory(PbmToken.FileName);
            return IsHere(seed) && File.Exists(own) ? PbmToken.Read(own).Secret : null;
        }
        catch (ElasticException e)
        {
            throw PbmException.Failed(e.Message, e);
        }
    }

    /// <summary>
    /// True for an address of this machine. Another machine has no use for this one's token but to misuse it: it gets what a person names.
    /// </summary>
    internal static bool IsHere(Endpoint seed) =>
        seed.Host == "localhost" || (IPAddress.TryParse(seed.Host, out var address)
            && (IPAddress.IsLoopback(address) || MachineAddresses.All().Contains(address.ToString())));
}
