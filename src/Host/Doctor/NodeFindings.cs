using System.Data.Common;
using System.Net.Sockets;
using Elastic.Foundation;
using Elastic.Host.Commands;
using Elastic.Host.Display;
using Elastic.Storage;

namespace Elastic.Host.Doctor;

/// <summary>What a seed or a worker needs beyond what training in one process does: open files, ports, a database.</summary>
internal static class NodeFindings
{
    // As long as a seed waits for one connection.
    private static readonly TimeSpan DatabaseDeadline = TimeSpan.FromSeconds(5);

    /// <param name="limit">How many files may be open; null where the system does not say.</param>
    public static Finding Files(long? limit) => limit switch
    {
        null => new Finding("open files", "the system names no limit"),
        < OpenFiles.Enough => new Finding("open files", $"{Units.Many(limit.Value, "file")} may be open at once, "
            + $"which is few for a cluster (at least {OpenFiles.Enough})", OpenFiles.Remedy),
        _ => new Finding("open files", $"{(limit == long.MaxValue ? "any number" : Units.Many(limit.Value, "file"))} may be open at once"),
    };

    /// <summary>Whether the default ports of a seed are free. One in use is no problem: another seed may be what holds it.</summary>
    public static Finding Ports(string host)
    {
        if (Endpoint.ProblemOfHost(host) is { } wrong)
            return new Finding("ports", $"--host {host}: {wrong}", "name one address or name of this machine with --host");
        (int, string)[] ports =
            [(NodeOptions.DefaultPort, "--port"), (NodeOptions.DefaultHttpPort, "--http-port"), (NodeOptions.DefaultPbmPort, "--pbm-port")];
        IReadOnlyList<string> taken;
        try
        {
            taken = FreePorts.Taken(host, ports);
        }
        catch (SocketException e)
        {
            return new Finding("ports", $"no port of {host} can be opened: {e.Message}",
                $"name an address of this machine with --host: {string.Join(" or ", MachineAddresses.All())}");
        }

        return new Finding("ports", taken.Count == 0
            ? $"those of a seed are free on {host}"
            : $"in use on {host}: {string.Join(", ", taken)}; a seed needs others there, elastic train none");
    }

    /// <summary>Whether the seeds' database answers.</summary>
    /// <param name="url">As <c>--database</c> takes it.</param>
    public static Finding Database(string url)
    {
        try
        {
            var address = DatabaseAddress.Parse(url, Path.GetTempPath());
            if (address.Kind == DatabaseKind.Sqlite && address.ToString()["sqlite:".Length..] is var path && !File.Exists(path))
                return Directory.Exists(Path.GetDirectoryName(path))
                    ? new Finding("database", $"{path} is not there yet: the first seed makes it")
                    : new Finding("database", $"{address}: its folder does not exist", $"mkdir -p {Path.GetDirectoryName(path)}");
            using var deadline = new CancellationTokenSource(DatabaseDeadline);
            using var connection = address.ReadOnly().OpenAsync(deadline.Token).GetAwaiter().GetResult();
            return DamagedDatabase.ProblemAsync(address, CancellationToken.None).GetAwaiter().GetResult() is { } damage
                ? new Finding("database", damage, DamagedDatabase.Remedy)
                : new Finding("database", $"{address} answers ({connection.ServerVersion})");
        }
        catch (Exception e) when (e is ElasticException or DbException or OperationCanceledException or SocketException or IOException
            or TimeoutException)
        {
            var why = e is OperationCanceledException ? $"no answer within {DatabaseDeadline.TotalSeconds:0} s" : e.Message.Split('\n')[0];
            return FullDisk.IsReason(e)
                ? new Finding("database", $"the disk of {url} is full ({why})", "free some space")
                : new Finding(
                    "database", why, "see whether it runs and lets this machine in, and whether --database or ELASTIC_DATABASE names it");
        }
    }
}
