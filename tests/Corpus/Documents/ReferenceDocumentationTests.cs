using System.Text;

namespace Elastic.Corpus.Tests;

public class ReferenceDocumentationTests
{
    [Fact]
    public void A_type_and_its_members_are_one_document()
    {
        var documents = Read("""
            <doc><assembly><name>System</name></assembly><members>
            <member name="T:System.String"><summary>Represents text.</summary></member>
            <member name="M:System.String.Join(System.String,System.String[])">
              <summary>Concatenates the elements of <paramref name="value" />,
                 or gives <see cref="F:System.String.Empty" />.</summary>
              <param name="separator">The string to use as a separator.</param>
              <returns>A string.

            -or-

            <see langword="null" />.</returns>
              <exception cref="T:System.ArgumentNullException"><paramref name="value" /> is <c>null</c>.</exception>
            </member>
            <member name="T:System.Array"><summary>An array.</summary></member>
            </members></doc>
            """);
        Assert.Equal(["a.xml#System.String", "a.xml#System.Array"], documents.Select(d => d.Name));
        Assert.Equal("""
            System.String
            Represents text.

            System.String.Join(String, String[])
            Concatenates the elements of value, or gives String.Empty.
            Parameters:
              separator: The string to use as a separator.
            Returns: A string.
            -or-
            null.
            Exceptions:
              ArgumentNullException: value is null.

            """, documents[0].Text);
    }

    [Theory]
    [InlineData("<doc>\n  <title>Title</title>\n  <member name=\"T:X\">One</member><p>Two</p>\n</doc>", "Title\nOne\nTwo")]
    [InlineData("<doc>Loose words <b>first</b>.<members/></doc>", "Loose words first.")]
    [InlineData("<doc><![CDATA[Words]]></doc>", "Words")]
    public void Any_other_document_with_the_same_root_gives_its_text(string xml, string text) =>
        Assert.Equal(text, Assert.Single(Read(xml)).Text.TrimEnd());

    [Theory]
    [InlineData("<doc/>")]
    [InlineData("<doc>  </doc>")]
    [InlineData("<doc><assembly/></doc>")]
    public void One_without_text_gives_no_document(string xml) => Assert.Empty(Read(xml));

    [Fact]
    public void Paragraphs_lists_and_code_keep_their_lines() =>
        Assert.Equal("T\nFirst.\nSecond:\n- Red: warm\n- blue\nvar x = 1;\n  x++;\nend, words and more.\n", Assert.Single(Read("""
        <doc><members><member name="T:T"><summary><para>First.</para><para>Second:</para>
        <list type="bullet"><item><term>Red</term><description>warm</description></item><item><description>blue</description></item></list>
        <code>
        var x = 1;
          x++;
        </code>
        end, <see href="https://example.org">words</see> and <typeparamref name="more" />.</summary></member></members></doc>
        """)).Text);

    [Theory]
    [InlineData("T:System.Collections.Generic.List`1", "System.Collections.Generic.List<T>")]
    [InlineData("M:System.Collections.Generic.List`1.#ctor", "System.Collections.Generic.List<T>.List()")]
    [InlineData("M:System.Array.Resize``1(``0[]@,System.Int32)", "System.Array.Resize<U>(U[], Int32)")]
    [InlineData("M:A.B`1.C(System.Collections.Generic.IDictionary{`0,System.Int32})", "A.B<T>.C(IDictionary<T, Int32>)")]
    [InlineData("M:A.B.op_Implicit(A.B)~System.Int32", "A.B.op_Implicit(B) returning Int32")]
    [InlineData("P:A.B.Item(System.Int32)", "A.B.Item(Int32)")]
    [InlineData("E:A.B.Changed", "A.B.Changed")]
    [InlineData("M:A.B.System#IDisposable#Dispose", "A.B.System.IDisposable.Dispose()")]
    [InlineData("M:A.Outer`1.Inner`1.M", "A.Outer<T>.Inner<T1>.M()")]
    [InlineData("odd", "odd")]
    [InlineData("M:A.B.C(``", "A.B.C(")]
    public void Ids_become_names(string id, string name) => Assert.Equal(name, ReferenceNames.Full(id, ["T"], ["U"]));

    [Theory]
    [InlineData("T:System.String", "String")]
    [InlineData("M:System.String.Join(System.String)", "String.Join()")]
    [InlineData("P:System.String.Length", "String.Length")]
    [InlineData("N:System.IO", "System.IO")]
    [InlineData("!:What", "What")]
    [InlineData("T:System.Func`2", "Func<T, T1>")]
    public void References_become_short_names(string id, string name) => Assert.Equal(name, ReferenceNames.Short(id));

    [Theory]
    [InlineData("T:A.B", "A.B")]
    [InlineData("M:A.B.C(D.E)", "A.B")]
    [InlineData("F:A.B.C", "A.B")]
    [InlineData("F:C", "C")]
    public void A_member_belongs_to_its_type(string id, string type) => Assert.Equal(type, ReferenceNames.TypeOf(id));

    [Fact]
    public void The_documentation_of_the_SDK_reads_without_a_tag_or_a_loss()
    {
        var statistics = new ReadStatistics();
        var documents = CorpusSources.Resolve([]).Take(40).SelectMany(f => DocumentReader.Read(f, statistics)).ToList();
        Assert.True(documents.Count > 100);
        Assert.Equal((0, 0), (statistics.MalformedRecords, statistics.InvalidUtf8Sequences));
        Assert.All(documents, d => Assert.DoesNotContain("<see ", d.Text, StringComparison.Ordinal));
    }

    private static List<Document> Read(string xml)
    {
        using var folder = new TemporaryFolder();
        return [.. DocumentReader.Read(
            CorpusSources.Resolve([folder.Write("a.xml", Encoding.UTF8.GetBytes(xml))])[0], new ReadStatistics())];
    }
}
