using System.Net;
using System.Net.Sockets;
using Elastic.Foundation;
using Elastic.Foundation.Certificates;
using Elastic.Messages.Settings;

namespace Elastic.Actors.Hosting;

/// <summary>
/// The one switch: with certificates every connection of a process is mutual TLS; without them it binds the loopback only, unless a person
/// has said that its network is safe.
/// </summary>
public static class NodeSecurity
{
    private const string Loopback = "no certificates: this node binds the loopback only";
    private const string Warning =
        "INSECURE: no certificates, so whoever reaches the ports of this node controls it (elastic certs init ends that)";

    /// <summary>The folder of a node's certificates, which need not exist.</summary>
    public static CertificateFiles FilesOf(NodeSettings node)
    {
        ArgumentNullException.ThrowIfNull(node);
        return new CertificateFiles(Path.GetFullPath(node.Certs ?? Path.Combine(node.DataDir, CertificateFiles.InDataDirectory)));
    }

    /// <summary>The credentials of a node's process; null where it has none.</summary>
    /// <exception cref="ElasticException">They cannot be used, or the settings contradict each other.</exception>
    public static Credentials? CredentialsOf(NodeSettings node)
    {
        var files = FilesOf(node);
        if (node.Certs is null && !files.AreThere)
            return null;
        return node.Security != NodeSettings.Insecure
            ? Credentials.OfNode(files, TimeProvider.System)
            : throw new ElasticException(
                $"node.security = {NodeSettings.Insecure} (--insecure), and there are certificates in {files.Folder}: drop one of the two");
    }

    /// <summary>Says how the connections of a process are secured.</summary>
    /// <exception cref="ElasticException">They would be open to other machines, and nobody has said that this is meant.</exception>
    public static async Task<string> DescribeAsync(NodeSettings node, Transport transport, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(node);
        ArgumentNullException.ThrowIfNull(transport);
        if (transport.Credentials is { } credentials)
            return $"mutual TLS as {credentials.Self}; the certificate expires on {credentials.Expires:yyyy-MM-dd}";
        if (await IsLoopbackAsync(Endpoint.HostOf(node.Host), cancel))
            return Loopback;
        return node.Security == NodeSettings.Insecure
            ? Warning
            : throw new ElasticException(
                $"node.host = {node.Host} is reached by other machines, and this node has no certificates: make some with elastic certs "
                + "init (docs/security.md has the four commands of a cluster), or start with --insecure where nobody "
                + "else reaches this network");
    }

    /// <summary>True where only this machine reaches the address, or all addresses of the name.</summary>
    public static async Task<bool> IsLoopbackAsync(string host, CancellationToken cancel)
    {
        if (IPAddress.TryParse(host, out var address))
            return IPAddress.IsLoopback(address);
        try
        {
            return (await Dns.GetHostAddressesAsync(host, cancel)).All(IPAddress.IsLoopback);
        }
        catch (SocketException)
        {
            return false;                                             // the port cannot be bound either, which says why
        }
    }
}
