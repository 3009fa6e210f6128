namespace Elastic.Foundation.Certificates;

/// <summary>What the holder of a certificate may do.</summary>
public enum Role
{
    /// <summary>A node that supervises runs: gives orders, has the database, answers pbm.</summary>
    Seed,

    /// <summary>A node that only computes.</summary>
    Worker,

    /// <summary>A person or a script that controls runs by pbm.</summary>
    Admin,

    /// <summary>A person or a script that looks, by pbm, and changes nothing.</summary>
    Reader,
}

/// <summary>Who holds a certificate.</summary>
/// <param name="Name">A node's id, or what a person is called.</param>
public sealed record Identity(string Name, Role Role)
{
    private const int LongestName = 80;

    /// <summary>True for what joins the cluster.</summary>
    public bool IsNode => Role is Role.Seed or Role.Worker;

    /// <summary>The role as it stands in certificates and on command lines.</summary>
    public static string Text(Role role) => role switch
    {
        Role.Seed => "seed",
        Role.Worker => "worker",
        Role.Admin => "admin",
        _ => "reader",
    };

    /// <summary>The role of that text; null where it is none.</summary>
    public static Role? RoleOf(string text) =>
        Enum.GetValues<Role>().Where(r => Text(r) == text).Select(r => (Role?)r).SingleOrDefault();

    /// <summary>
    /// True for letters, digits, dots, underscores and dashes, as ids of nodes have: a name stands in file names and in logs.
    /// </summary>
    public static bool IsName(string text) =>
        text.Length is > 0 and <= LongestName && text[0] is not '.'
        && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-');

    /// <inheritdoc/>
    public override string ToString() => $"{Text(Role)} {Name}";
}
