namespace Elastic.Testing;

/// <summary>Text for runs that nobody reads.</summary>
public static class MadeUpText
{
    /// <summary>Writes so many files of so many words, the same at each call.</summary>
    /// <returns>The folder.</returns>
    public static string Write(string folder, int files, int words)
    {
        Directory.CreateDirectory(folder);
        for (var i = 0; i < files; i++)
            File.WriteAllText(Path.Combine(folder, $"{i:D2}.txt"),
                string.Join(' ', Enumerable.Range(0, words).Select(w => $"{(i * 10_000L + w) * 2654435761 % 9973:x}")));
        return folder;
    }
}
