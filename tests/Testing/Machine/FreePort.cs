using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Elastic.Testing;

/// <summary>
/// Ports for servers that will listen later, or again. They are below those that the system gives to whoever asks for any, so that nobody
/// takes them in between; and test programs that run side by side tell each other which they have taken, by UDP ports of the same numbers,
/// which nobody else uses and each holds until its end.
/// </summary>
public static class FreePort
{
    private const int First = 20_000, Count = 12_000;
    private static readonly ConcurrentBag<Socket> Held = [];
    private static int _next = Environment.ProcessId * 37 % Count;      // test programs that run side by side begin at different ones

    /// <summary>As an argument.</summary>
    public static string Text() => Take().ToString(CultureInfo.InvariantCulture);

    public static int Take()
    {
        for (var tries = 0; tries < Count; tries++)
        {
            var port = First + Interlocked.Increment(ref _next) % Count;
            var told = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
            try
            {
                told.Bind(new IPEndPoint(IPAddress.Loopback, port));
                using var listener = new TcpListener(IPAddress.Loopback, port);
                listener.Start();
                Held.Add(told);
                return port;
            }
            catch (SocketException)
            {
                told.Dispose();                                        // in use: the next one
            }
        }

        throw new InvalidOperationException($"no port from {First} to {First + Count - 1} is free");
    }
}
