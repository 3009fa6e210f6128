namespace Elastic.Foundation.Certificates;

/// <summary>The files of a folder of certificates. Keys are readable by their owner only.</summary>
/// <param name="Folder">Usually <c>certs</c> in a data directory.</param>
public sealed record CertificateFiles(string Folder)
{
    /// <summary>The folder's name in a data directory.</summary>
    public const string InDataDirectory = "certs";

    /// <summary>The authority's certificate: every process of the cluster has it.</summary>
    public string Authority => Path.Combine(Folder, "authority.pem");

    /// <summary>The authority's key: only where certificates are issued. Whoever has it can make any certificate.</summary>
    public string AuthorityKey => Path.Combine(Folder, "authority.key");

    /// <summary>The certificate of the process.</summary>
    public string Certificate => Path.Combine(Folder, "node.pem");

    public string Key => Path.Combine(Folder, "node.key");

    /// <summary>The certificate for pbm on the same machine.</summary>
    public string Admin => Path.Combine(Folder, "admin.pem");

    public string AdminKey => Path.Combine(Folder, "admin.key");

    /// <summary>The certificates that count no more, signed by the authority.</summary>
    public string Revocations => Path.Combine(Folder, "revoked.json");

    /// <summary>What was issued, a line each; beside the authority's key.</summary>
    public string Issued => Path.Combine(Folder, "issued.jsonl");

    /// <summary>Join tokens, by the hash of their secrets; beside the authority's key.</summary>
    public string Tokens => Path.Combine(Folder, "tokens");

    /// <summary>Held by the process that is issuing something.</summary>
    internal string Lock => Path.Combine(Folder, "issuing.lock");

    /// <summary>True where certificates can be issued.</summary>
    public bool CanIssue => File.Exists(AuthorityKey);

    /// <summary>True where the folder holds what a process needs.</summary>
    public bool AreThere => File.Exists(Authority) && File.Exists(Certificate);

    /// <summary>Where somebody of that role has a certificate and its key: nodes and people have files of their own.</summary>
    public (string Certificate, string Key) Of(Role role) =>
        role is Role.Seed or Role.Worker ? (Certificate, Key) : (Admin, AdminKey);

    /// <summary>What is said of a key that others can read. It is used all the same: the secrets of containers have such modes.</summary>
    /// <param name="can">What they can do with it.</param>
    /// <returns>Null where nobody else can read it, or it is not there, as while it is replaced.</returns>
    public static string? OpennessOf(string key, string can)
    {
        try
        {
            return PrivateFiles.ProblemOf(key) is { } open ? $"{open}, who can {can}: chmod 600 {key}" : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Makes a folder that only its owner can enter; one that is there stays as it is.</summary>
    public static void MakeFolder(string path)
    {
        if (OperatingSystem.IsWindows())
            Directory.CreateDirectory(path);
        else
            Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    /// <summary>Writes a file that only its owner can read, whole or not at all.</summary>
    public static void WriteSecret(string path, string text) => Write(path, text, UnixFileMode.UserRead | UnixFileMode.UserWrite);

    /// <summary>Writes a file that everybody may read.</summary>
    public static void WritePublic(string path, string text) => Write(
        path, text, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead);

    private static void Write(string path, string text, UnixFileMode mode)
    {
        // Not DurableFile's name for it: a seed that starts removes those in its data directory, and a command may be writing here.
        var temporary = $"{path}.{Guid.NewGuid():N}.new";
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        // From its first moment: a file that is closed to others later was open before.
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = mode;
        using (var writer = new StreamWriter(temporary, options))
        {
            writer.Write(text);
            writer.Flush();
            ((FileStream)writer.BaseStream).Flush(flushToDisk: true);
        }

        File.Move(temporary, path, overwrite: true);
        DurableFile.FlushFolder(Path.GetDirectoryName(Path.GetFullPath(path))!);
    }
}
