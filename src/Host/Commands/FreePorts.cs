using System.Net;
using System.Net.Sockets;

namespace Elastic.Host.Commands;

/// <summary>Whether ports are free, before anything is to listen on them.</summary>
internal static class FreePorts
{
    /// <summary>Those that another socket has, each with the option that names another one, e.g. "4053 (--port)".</summary>
    /// <exception cref="SocketException">No port of the host can be opened by this process.</exception>
    public static IReadOnlyList<string> Taken(string host, IEnumerable<(int Port, string Option)> ports)
    {
        var (taken, address) = (new List<string>(), Dns.GetHostAddresses(host).OrderBy(a => a.AddressFamily).First());
        foreach (var (port, option) in ports)
        {
            try
            {
                using var listener = new TcpListener(address, port);
                listener.Start();
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse)
            {
                taken.Add($"{port} ({option})");
            }
        }

        return taken;
    }
}
