using System.Text;
using CsCheck;
using Elastic.Foundation;
using Elastic.Messages.Vectors;

namespace Elastic.Messages.Tests.Vectors;

public sealed class VectorSetTests
{
    private const int Chunk = VectorManifest.ChunkElements;

    private static readonly Gen<VectorSet> Sets =
        Gen.Select(Gen.String[Gen.Char.AlphaNumeric, 1, 20], Gen.Long[0, 5L * Chunk], Gen.Enum<ElementType>())
            .Array[0, 6]
            .Select(vectors => new VectorSet(
                vectors.DistinctBy(v => v.Item1).ToDictionary(v => v.Item1, v => Manifest(v.Item2, v.Item1) with { Type = v.Item3 })));

    [Theory]
    [InlineData("", "these bytes are no vector set")]
    [InlineData("something else\n", "these bytes are no vector set")]
    [InlineData("elastic vector set 2\n", "these bytes are no vector set")]
    [InlineData("elastic vector set 1\na 10\n", "the vector \"a\" of 10 elements lists 0 chunks")]
    [InlineData("elastic vector set 1\na 10 x y\n", "the vector \"a\" of 10 elements lists 2 chunks")]
    [InlineData("elastic vector set 1\na 4194305 x\n", "the vector \"a\" of 4194305 elements lists 1 chunks")]
    [InlineData("elastic vector set 1\na\n", "a vector set has the line \"a\": no name and number of elements")]
    [InlineData("elastic vector set 1\na -5\n", "a vector set has the line \"a -5\": no name and number of elements")]
    [InlineData("elastic vector set 1\na 10 fp32 11\n", "the vector \"a\" of 10 elements lists 2 chunks")]
    [InlineData("elastic vector set 1\na 10 fp8 11\n", "the vector \"a\" of 10 elements lists 2 chunks")]
    [InlineData("elastic vector set 1\na 10 bf16\n", "the vector \"a\" of 10 elements lists 0 chunks")]
    [InlineData("elastic vector set 1\na 10 ../../etc\n", "the vector \"a\" lists \"../../etc\", which is no SHA-256")]
    public void What_is_no_vector_set_is_refused(string text, string why) =>
        Assert.Equal(why, Assert.Throws<InvalidDataException>(() => VectorSet.Parse(Encoding.UTF8.GetBytes(text))).Message);

    [Fact]
    public void A_vector_that_the_set_lacks_is_an_error_that_names_both()
    {
        var set = new VectorSet(new Dictionary<string, VectorManifest>());
        Assert.Equal(
            $"the vector set {set.Digest.Short} has no vector \"parameters\"",
            Assert.Throws<InvalidDataException>(() => set["parameters"]).Message);
    }

    [Fact]
    public void The_bytes_are_a_header_and_one_line_a_vector_in_ordinal_order()
    {
        var set = new VectorSet(new Dictionary<string, VectorManifest>
        {
            ["b"] = new(Chunk + 1, [Of('1'), Of('2')]),
            ["B"] = new(1, [Of('3')]),
            ["a"] = new(2, [Of('4')]),
        });
        Assert.Equal(
            $"elastic vector set 1\nB 1 {Of('3')}\na 2 {Of('4')}\nb 4194305 {Of('1')} {Of('2')}\n",
            Encoding.UTF8.GetString(set.ToBytes()));
        Assert.Equal(Digest.Of(set.ToBytes()), set.Digest);
    }

    [Fact]
    public void Frozen_parameters_are_a_line_of_their_own_and_part_of_the_fingerprint()
    {
        var vectors = new Dictionary<string, VectorManifest> { [VectorSet.Parameters] = new(2, [Of('4')]) };
        VectorSet plain = new(vectors), adapted = new(vectors, Of('5')), other = new(vectors, Of('6'));
        var bytes = adapted.ToBytes();
        Assert.Equal($"elastic vector set 1\nfrozen {Of('5')}\nparameters 2 {Of('4')}\n", Encoding.UTF8.GetString(bytes));
        Assert.Equal((Of('5'), Digest.Of(bytes)), (VectorSet.Parse(bytes).Frozen, VectorSet.Parse(bytes).Digest));
        Assert.Equal(plain[VectorSet.Parameters].Fingerprint, plain.Fingerprint);
        Assert.Equal(3, new[] { plain, adapted, other }.Select(s => s.Fingerprint).Distinct().Count());
        // A vector may have that name.
        var named = VectorSet.Parse("elastic vector set 1\nfrozen 0\n"u8);
        Assert.Null(named.Frozen);
        Assert.Equal(0, named["frozen"].Elements);
    }

    [Fact]
    public void Only_types_other_than_fp32_are_written()
    {
        var set = new VectorSet(new Dictionary<string, VectorManifest>
        {
            ["a"] = new(2, [Of('1')], ElementType.Float32),
            ["b"] = new(2, [Of('2')], ElementType.BFloat16),
            ["c"] = new(2, [Of('3')], ElementType.Float16),
        });
        Assert.Equal(
            $"elastic vector set 1\na 2 {Of('1')}\nb 2 bf16 {Of('2')}\nc 2 fp16 {Of('3')}\n",
            Encoding.UTF8.GetString(set.ToBytes()));
        Assert.Equal(set["a"].Fingerprint, (set["a"] with { Type = ElementType.BFloat16 }).Fingerprint);
    }

    [Fact]
    public void A_set_comes_back_as_it_was_and_its_digest_does_not_depend_on_the_order_it_was_made_in() =>
        Sets.Sample(set =>
        {
            var back = VectorSet.Parse(set.ToBytes());
            Assert.Equal(set.Vectors.Keys.Order(StringComparer.Ordinal), back.Vectors.Keys.Order(StringComparer.Ordinal));
            Assert.All(set.Vectors, v => Assert.Equal(
                (v.Value.Elements, v.Value.Type, v.Value.Fingerprint), (back[v.Key].Elements, back[v.Key].Type, back[v.Key].Fingerprint)));
            Assert.Equal(set.ToBytes(), back.ToBytes());
            Assert.Equal(set.Digest, new VectorSet(set.Vectors.Reverse().ToDictionary()).Digest);
            Assert.Equal(set.Vectors.Values.Sum(v => v.Chunks.Count), back.Chunks().Count());
        }, iter: 500);

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(Chunk, 1, Chunk)]
    [InlineData(Chunk + 1L, 2, 1)]
    [InlineData(3L * Chunk, 3, Chunk)]
    public void A_vector_is_cut_into_whole_chunks_and_a_rest(long elements, int chunks, int last)
    {
        Assert.Equal(chunks, VectorManifest.ChunkCount(elements));
        Assert.Equal(last, VectorManifest.ElementsOf(elements, chunks - 1));
        Assert.Equal(elements, Enumerable.Range(0, chunks).Sum(c => (long)VectorManifest.ElementsOf(elements, c)));
    }

    [Fact]
    public void A_fingerprint_is_the_digest_of_the_chunks_digests_in_order()
    {
        var (a, b) = (Digest.Of("a"u8), Digest.Of("b"u8));
        Assert.Equal(
            Digest.Of([.. Convert.FromHexString(a.Hex), .. Convert.FromHexString(b.Hex)]),
            new VectorManifest(Chunk + 1, [a, b]).Fingerprint);
        Assert.NotEqual(new VectorManifest(Chunk + 1, [b, a]).Fingerprint, new VectorManifest(Chunk + 1, [a, b]).Fingerprint);
    }

    private static VectorManifest Manifest(long elements, string name) =>
        new(elements,
            [.. Enumerable.Range(0, VectorManifest.ChunkCount(elements)).Select(c => Digest.Of(Encoding.UTF8.GetBytes($"{name} {c}")))]);

    // A digest of one digit, repeated: easy to see.
    private static Digest Of(char digit) => new(new string(digit, 2 * Digest.Length));
}
