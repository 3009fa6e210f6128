using Elastic.Foundation;
using Elastic.Foundation.Certificates;
using Elastic.Host.Commands;
using Elastic.Messages.Pbm;

namespace Elastic.Host.Pbm;

/// <summary>What a seed serves to pbm, and to whom.</summary>
/// <param name="LogFile">Where the details of a defect go.</param>
/// <param name="Token">What clients show that have no certificate; null where all have one.</param>
internal sealed record PbmService(
    IReadOnlyList<Palette> Palettes, string LogFile, PbmLimits Limits, SecretToken? Token, CommandLog Commands)
{
    /// <summary>The service of the seed of a data directory.</summary>
    /// <param name="credentials">Null where the seed has no certificates.</param>
    public static PbmService Of(IReadOnlyList<Palette> palettes, string dataDir, Credentials? credentials)
    {
        var data = new DataDirectory(dataDir);
        return new PbmService(
            palettes, data.LogFile, PbmLimits.Default, credentials is null ? PbmToken.OfSeed(data.Root) : null,
            new CommandLog(Path.Combine(data.Root, CommandLog.FileName), TimeProvider.System));
    }

    /// <summary>Why a client is not served that has shown this; null where it is.</summary>
    public string? Refusal(Identity? peer, string? shown)
    {
        if (peer is not null || Token?.Matches(shown) == true)
            return null;
        return Token is { } token
            ? $"{(shown is null ? "pbm has shown no token" : "the token that pbm has shown is another seed's")}. "
                + $"On the seed's machine it is in {token.Path}: name that file, or a copy of mode 0600, with pbm --token-file FILE"
            : "it wants a certificate: pbm --certs DIR";
    }

    /// <summary>Refuses a command that changes something to somebody who may only look.</summary>
    /// <exception cref="ElasticException">It is refused.</exception>
    public static void Permit(PbmMessage.Call call, PaletteCommand command, Identity? peer)
    {
        if (command.ChangesBy(call) && peer is { Role: Role.Reader })
            throw new ElasticException(
                $"{peer} may look and change nothing, and {call.Palette} {call.Command} changes something: "
                + "use the certificate of an admin (elastic certs token --role admin makes a token for one)");
    }

    /// <summary>A command line of pbm that reaches the seed from the folder that it was started in, up to the palette.</summary>
    /// <param name="files">The seed's certificates; null where it has none.</param>
    /// <param name="token">The file of the seed's token; null where it has none.</param>
    public static string Words(Endpoint endpoint, CertificateFiles? files, string? token)
    {
        var found = Path.GetFullPath(CommonOptions.EnvironmentDataDir ?? CommonOptions.DefaultFolder);
        var option = files is not null
            ? files.Folder == Path.Combine(found, CertificateFiles.InDataDirectory) && File.Exists(files.Admin)
                ? "" : $" --certs {Quoted(files.Folder)}"
            : token is not null && token != PbmToken.PathIn(found) ? $" --token-file {Quoted(token)}" : "";
        return $"pbm {endpoint}{option}";
    }

    private static string Quoted(string path) =>
        path.All(c => char.IsLetterOrDigit(c) || c is '/' or '.' or '-' or '_' or ':' or '\\') ? path : $"'{path}'";
}
