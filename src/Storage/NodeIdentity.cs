using System.Security.Cryptography;
using System.Text;
using Elastic.Foundation;
using Elastic.Messages;

namespace Elastic.Storage;

/// <summary>The id of the node that a data directory belongs to, in its file <c>node-id</c>.</summary>
public static class NodeIdentity
{
    /// <summary>Reads the id, or draws one at the node's first start.</summary>
    /// <exception cref="ElasticException">The file holds something else, or cannot be written.</exception>
    public static NodeId Load(DataPaths paths)
    {
        ArgumentNullException.ThrowIfNull(paths);
        var path = paths.NodeId;
        try
        {
            if (File.Exists(path))
            {
                var text = File.ReadAllText(path).Trim();
                return Identifier.IsValid(text, 80)
                    ? new NodeId(text)
                    : throw new ElasticException($"{path} does not hold a node's id: delete it, and the node draws a new one");
            }

            var id = NodeId.Draw(Environment.MachineName, RandomNumberGenerator.GetBytes(Identifier.DrawnBytes));
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
