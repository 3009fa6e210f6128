using System.Security.Cryptography;
using System.Text;
using Elastic.Foundation;
using Elastic.Foundation.Certificates;
using Elastic.Messages;

namespace Elastic.Storage;

/// <summary>
/// The id of the node that a data directory belongs to, in its file <c>node-id</c>. With certificates it is the name that the node's
/// certificate has, since that is what others can be sure of.
/// </summary>
public static class NodeIdentity
{
    /// <summary>Reads the id, or at the node's first start takes it from its certificate, or draws one where it has none.</summary>
    /// <param name="certified">Whom the node's certificate names; null without one.</param>
    /// <exception cref="ElasticException">
    /// The file holds something else, or another id than the certificate, or cannot be written.
    /// </exception>
    public static NodeId Load(DataPaths paths, Identity? certified = null)
    {
        ArgumentNullException.ThrowIfNull(paths);
        var path = paths.NodeId;
        try
        {
            if (File.Exists(path))
            {
                var text = File.ReadAllText(path).Trim();
                if (!Identifier.IsValid(text, 80))
                    throw new ElasticException($"{path} does not hold a node's id: delete it, and the node draws a new one");
                return certified is null || certified.Name == text
                    ? new NodeId(text)
                    : throw new ElasticException(
                        $"{path} says that this data directory is of the node {text}, and the certificate is {certified}'s: start with the "
                        + $"certificate of {text}, or with {certified.Name}'s data directory; or delete {path}, and what the directory "
                        + $"holds is {certified.Name}'s from then on");
            }

            var id = certified is not null
                ? new NodeId(certified.Name)
                : NodeId.Draw(Environment.MachineName, RandomNumberGenerator.GetBytes(Identifier.DrawnBytes));
            DurableFile.WriteDurably(path, Encoding.ASCII.GetBytes($"{id}\n"));
            return id;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ElasticException(
                $"the node's id cannot be kept in {path} ({e.Message}): see that the data directory can be written", e);
        }
    }
}
