using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;

namespace Elastic.Foundation;

/// <summary>The addresses of this machine, for messages that ask people to name one.</summary>
public static class MachineAddresses
{
    /// <summary>
    /// The addresses of its networks, then the loopback, which only the machine itself reaches.
    /// Link-local ones of IPv6 need a scope, and are left out.
    /// </summary>
    public static IReadOnlyList<string> All()
    {
        try
        {
            return [.. NetworkInterface.GetAllNetworkInterfaces()
                .Where(n => n.OperationalStatus == OperationalStatus.Up && n.NetworkInterfaceType != NetworkInterfaceType.Loopback)
                .SelectMany(n => n.GetIPProperties().UnicastAddresses)
                .Select(a => a.Address)
                .Where(a => a.AddressFamily is AddressFamily.InterNetwork || !a.IsIPv6LinkLocal)
                .OrderBy(a => a.AddressFamily)
                .Append(IPAddress.Loopback)
                .Select(a => a.ToString())
                .Distinct()];
        }
        catch (NetworkInformationException)
        {
            return [IPAddress.Loopback.ToString()];             // a sandbox may forbid to ask
        }
    }
}
