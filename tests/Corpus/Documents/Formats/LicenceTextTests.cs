using System.Text;

namespace Elastic.Corpus.Tests.Formats;

/// <summary>The licence of a folder by its file LICENSE.</summary>
public class LicenceTextTests
{
    // As Debian and what is made of it install them. A name that is not there is no fault of the reader: heads are below.
    [Theory]
    [InlineData("Apache-2.0", "Apache-2.0")]
    [InlineData("GPL-2", "GPL-2.0")]
    [InlineData("GPL-3", "GPL-3.0")]
    [InlineData("LGPL-2", LicenceText.Unknown)]
    [InlineData("LGPL-2.1", "LGPL-2.1")]
    [InlineData("LGPL-3", "LGPL-3.0")]
    [InlineData("MPL-1.1", LicenceText.Unknown)]
    [InlineData("MPL-2.0", "MPL-2.0")]
    [InlineData("CC0-1.0", "CC0-1.0")]
    [InlineData("BSD", "BSD-3-Clause")]
    public void Whole_texts_are_known(string name, string id)
    {
        var path = Path.Combine("/usr/share/common-licenses", name);
        if (File.Exists(path))
            Assert.Equal(id, LicenceText.Read(new MemoryStream(File.ReadAllBytes(path))));
    }

    // The head, and far behind it the section that names another licence.
    [Theory]
    [InlineData("GNU GENERAL PUBLIC LICENSE\n Version 3, 29 June 2007", "Use with the GNU Affero General Public License.", "GPL-3.0")]
    [InlineData("Mozilla Public License Version 2.0\n====", "the GNU Affero General Public License, Version 3.0, or", "MPL-2.0")]
    [InlineData("GNU AFFERO GENERAL PUBLIC LICENSE\n Version 3, 19 November 2007", "GNU General Public License", "AGPL-3.0")]
    [InlineData("# GNU LESSER GENERAL PUBLIC LICENSE\nVersion 3", "version 3 of the GNU General Public License", "LGPL-3.0")]
    [InlineData("Eclipse Public License - v 2.0", "the GNU General Public License, Version 2.0, or any later", "EPL-2.0")]
    [InlineData("European Union Public Licence v. 1.2", "GNU General Public License (GPL) v. 2, v. 3, Mozilla Public License", null)]
    [InlineData("Copyright (c) 2020 A. Licensed under the Apache License,\nVersion 2.0 (the \"License\")", "", "Apache-2.0")]
    [InlineData("Attribution 4.0 International\n\n====", "Attribution-ShareAlike 4.0", "CC-BY-4.0")]
    public void A_licence_is_the_one_that_its_head_names(string head, string section, string? id) =>
        Assert.Equal(id ?? LicenceText.Unknown, Read($"{head}\n\n{string.Concat(Enumerable.Repeat("Some terms. ", 100))}\n{section}\n"));

    [Theory]
    [InlineData("and this permission notice appear in all copies. THE SOFTWARE IS PROVIDED \"AS IS\"", "ISC")]
    [InlineData("", "0BSD")]
    public void Terms_without_a_name_are_known_behind_the_names_of_authors(string condition, string id)
    {
        const string granted =
            "Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted";
        var terms = condition.Length == 0 ? $"{granted}.\n\nTHE SOFTWARE IS PROVIDED \"AS IS\""
            : $"{granted}, provided that the above\ncopyright notice {condition}";
        Assert.Equal(id, Read($"{string.Concat(Enumerable.Repeat("Copyright (c) somebody\n", 40))}\n{terms}"));
        // What it comes with has terms of its own behind it.
        Assert.Equal(id, Read($"{terms}\n\nRedistribution and use in source and binary forms, neither the name"));
        // And what has terms of another kind may end with those of a part, as that of Python does.
        Assert.Equal(LicenceText.Unknown, Read($"{string.Concat(Enumerable.Repeat("Some other terms. ", 300))}\n{terms}"));
    }

    private static string Read(string text) => LicenceText.Read(new MemoryStream(Encoding.UTF8.GetBytes(text)));
}
