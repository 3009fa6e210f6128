using System.Text;
using System.Text.RegularExpressions;

namespace Elastic.Corpus;

/// <summary>Knows licences by the words that only they have, and by the mark of SPDX (specification 2.3, annex E).</summary>
internal static partial class LicenceText
{
    /// <summary>There is a licence, and it is none of those below.</summary>
    public const string Unknown = "LicenseRef-unknown";

    /// <summary>Characters at the beginning of a file in which a mark, and the beginning of terms, are looked for.</summary>
    public const int HeadCharacters = 4096;

    private const int MostBytes = 64 << 10;

    private const string AnyPurpose =
        "permission to use, copy, modify, and/or distribute this software for any purpose with or without fee";

    // Characters in which a licence says its name. Behind them it may name others: GPL-3.0 and MPL-2.0 name the AGPL, EPL-2.0 the GPL.
    private const int NameWithin = 300;

    // Licences that begin with their name. White space is joined, case does not count.
    private static readonly (string Id, string[] Words)[] Named =
    [
        ("Apache-2.0", ["apache license", "version 2.0"]),
        ("AGPL-3.0", ["gnu affero general public license", "version 3"]),
        ("LGPL-3.0", ["gnu lesser general public license", "version 3"]),
        ("LGPL-2.1", ["gnu lesser general public license", "version 2.1"]),
        ("GPL-3.0", ["gnu general public license", "version 3"]),
        ("GPL-2.0", ["gnu general public license", "version 2"]),
        ("MPL-2.0", ["mozilla public license", "version 2.0"]),
        ("CC0-1.0", ["cc0 1.0 universal"]),
        ("CC-BY-SA-4.0", ["attribution-sharealike 4.0"]),
        ("CC-BY-4.0", ["attribution 4.0"]),
        ("EPL-2.0", ["eclipse public license", "v 2.0"]),
    ];

    // Licences that are known by their terms alone. They begin behind the names of authors, and not behind another licence.
    private static readonly (string Id, string[] Words)[] Unnamed =
    [
        ("Unlicense", ["this is free and unencumbered software released into the public domain"]),
        ("BSD-3-Clause", ["redistribution and use in source and binary forms", "neither the name"]),
        ("BSD-2-Clause", ["redistribution and use in source and binary forms"]),
        ("0BSD", [$"{AnyPurpose} is hereby granted. the software is provided"]),
        ("ISC", [AnyPurpose, "provided that the above copyright notice and this permission notice appear in all copies"]),
        ("MIT", ["permission is hereby granted, free of charge, to any person obtaining a copy", "the above copyright notice"]),
    ];

    /// <summary>Whether a file of that name holds the terms of those beside and below it.</summary>
    public static bool IsName(string name) =>
        Path.GetFileNameWithoutExtension(name).ToUpperInvariant() is "LICENSE" or "LICENCE" or "COPYING" or "UNLICENSE"
        && Path.GetExtension(name).ToLowerInvariant() is "" or ".txt" or ".md";

    /// <summary>The identifier of SPDX for the text of a licence, or <see cref="Unknown"/>.</summary>
    public static string Read(Stream stream)
    {
        var bytes = new byte[MostBytes];
        var length = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        var text = string.Join(' ', Encoding.UTF8.GetString(bytes, 0, length).ToLowerInvariant()
            .Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        return First(Named, text[..Math.Min(text.Length, NameWithin)]) ?? First(Unnamed, text) ?? Unknown;
    }

    // The one whose words are all there and begin first: a text may go on with the terms of what it comes with.
    private static string? First((string Id, string[] Words)[] licences, string text) => licences
        .Where(k => k.Words.All(w => text.Contains(w, StringComparison.Ordinal)))
        .Select(k => (k.Id, Begins: text.IndexOf(k.Words[0], StringComparison.Ordinal)))
        .Where(k => k.Begins < HeadCharacters).OrderBy(k => k.Begins).FirstOrDefault().Id;

    /// <summary>The licence that a file of source code names in its head; null where it names none.</summary>
    public static string? MarkIn(string text)
    {
        var match = Mark().Match(text, 0, Math.Min(text.Length, HeadCharacters));
        return match.Success ? match.Groups["id"].Value : null;
    }

    [GeneratedRegex("""SPDX-License-Identifier:[ \t]*(?<id>[A-Za-z0-9.+\-]+([ \t]+(AND|OR|WITH)[ \t]+[A-Za-z0-9.+\-]+){0,8})""",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Mark();
}
