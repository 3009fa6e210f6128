using Elastic.Foundation.Certificates;
using Elastic.Host.Pbm;
using Elastic.Messages.Pbm;

namespace Elastic.Host.Tests.Pbm;

/// <summary>What a test serves to pbm, with a token that the test knows.</summary>
internal static class TestService
{
    /// <summary>The token of each service.</summary>
    public const string Token = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    /// <summary>As a client that may be served begins.</summary>
    public static readonly PbmMessage.Hello Hello = new(PbmMessage.Protocol, "test", Token);

    /// <param name="folder">For the token, the log and the commands.</param>
    public static PbmService Of(string folder, IReadOnlyList<Palette> palettes, PbmLimits? limits = null)
    {
        CertificateFiles.WriteSecret(PbmToken.PathIn(folder), Token);
        return PbmService.Of(palettes, folder, credentials: null) with { Limits = limits ?? PbmLimits.Default };
    }
}
