using System.Buffers.Binary;
using System.Text;
using Elastic.Foundation;
using Elastic.Messages.Vectors;
using Elastic.Model.Exchange;
using Elastic.Testing;

namespace Elastic.Model.Tests.Exchange;

/// <summary>Files as others may send them: refused with a sentence, or read.</summary>
public sealed class SafetensorsFileTests : TemporaryFolder
{
    private const int MutationSeed = 20_261_126, Mutations = 4_000;

    private static readonly byte[] Signs = [.. "0123456789\"{}[],:-eE.n\\ \n"u8];

    private string Name => Path.Combine(Folder, "a.safetensors");

    public static TheoryData<string, int, string> Headers => new()
    {
        { "", 0, "is not JSON" },
        { "[]", 0, "its header is no JSON object" },
        { "{", 0, "is not JSON of the format" },
        { "{} x", 0, "is not JSON of the format" },
        { "{} {}", 0, "is not JSON of the format" },
        { """{"a":1}""", 0, "the tensor \"a\" is no JSON object" },
        { """{"a":{"dtype":"F32","shape":[1]}}""", 4, "lacks its dtype, its shape or its two data_offsets" },
        { """{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}""", 4, "lacks its dtype, its shape or its two data_offsets" },
        { """{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,4]}}""", 4, "the data_offsets of \"a\" has more than 2 numbers" },
        { """{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"more":1}}""", 4, "\"more\" twice, or the format has no such key" },
        { """{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 4, "\"dtype\" twice" },
        { """{"a":{"dtype":4,"shape":[1],"data_offsets":[0,4]}}""", 4, "the dtype of \"a\" is no text" },
        { """{"a":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}}""", 4, "has the dtype \"F99\", which the format does not have" },
        { """{"a":{"dtype":"F32","shape":1,"data_offsets":[0,4]}}""", 4, "the shape of \"a\" is no list" },
        { """{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}""", 4, "holds something else than whole numbers" },
        { """{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}""", 4, "holds something else than whole numbers" },
        { """{"a":{"dtype":"F32","shape":[1e30],"data_offsets":[0,4]}}""", 4, "holds something else than whole numbers" },
        { """{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}}""", 4, "has more than 8 numbers" },
        {
            """{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}}""", 4,
            "the shape [4294967296, 4294967296] of \"a\" has more elements than can be counted"
        },
        { """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}""", 4, "takes 8 bytes, and its data_offsets are [0, 4]" },
        { """{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}""", 4, "takes 4 bytes, and its data_offsets are [4, 0]" },
        { """{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 3, "its tensors take 4 bytes, and 3 follow the header" },
        { """{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 5, "its tensors take 4 bytes, and 5 follow the header" },
        { """{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, "no tensor has the bytes from 0 to 4" },
        {
            """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", 12,
            "the tensor \"b\" begins at byte 4, inside of another one"
        },
        {
            """{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8,
            "it has two tensors called \"a\""
        },
        { """{"__metadata__":{"format":{}}}""", 0, "its __metadata__ holds something else than texts" },
        { $$"""{"a":{{new string('[', 100_000)}}""", 0, "is no JSON object" },
        { $$$"""{"a":{"dtype":"F32","shape":{{{new string('[', 100_000)}}}""", 0, "holds something else than whole numbers" },
        { $$$"""{"{{{new string('x', 2_000)}}}":{}}""", 0, "a tensor's name has 2000 bytes" },
    };

    [Theory]
    [MemberData(nameof(Headers))]
    public void A_header_that_is_none_or_does_not_fit_the_data_is_refused_with_a_sentence(string header, int dataBytes, string why)
    {
        File.WriteAllBytes(Name, Whole(Encoding.UTF8.GetBytes(header), new byte[dataBytes]));
        var refusal = Refused();
        Assert.StartsWith($"{Name} is no whole safetensors file: ", refusal, StringComparison.Ordinal);
        Assert.Contains(why, refusal, StringComparison.Ordinal);
        Assert.DoesNotContain("\n", refusal, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(new byte[] { 1, 2, 3 }, "it has 3 bytes, and 8 come before the header")]
    [InlineData(new byte[] { 9, 0, 0, 0, 0, 0, 0, 0, 1 }, "its header has 9 bytes, and 1 follow")]
    [InlineData(new byte[] { 0, 0xE1, 0xF5, 0x05, 0, 0, 0, 0, 1 }, "its header has 100000000 bytes, and 1 follow")]
    [InlineData(new byte[] { 1, 0xE1, 0xF5, 0x05, 0, 0, 0, 0, 1 }, "its header has 100000001 bytes, and at most 100000000 are read")]
    [InlineData(new byte[] { 255, 255, 255, 255, 255, 255, 255, 255, 1 }, "its header has 18446744073709551615 bytes")]
    public void A_length_that_is_none_is_refused_before_anything_is_read(byte[] bytes, string why)
    {
        File.WriteAllBytes(Name, bytes);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Contains(why, Refused(), StringComparison.Ordinal);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Theory]
    [InlineData(new byte[] { 0xFF })]
    [InlineData(new byte[] { 0xED, 0xA0, 0x80 })]
    public void A_name_that_is_not_UTF8_is_refused(byte[] name)
    {
        File.WriteAllBytes(Name, Whole([.. "{\""u8, .. name, .. "\":{}}"u8], []));
        Assert.Contains("is not JSON of the format", Refused(), StringComparison.Ordinal);
    }

    [Fact]
    public void More_tensors_than_any_model_has_are_refused()
    {
        var header = string.Join(',', Enumerable.Range(0, 200_001).Select(i => $$"""
            "{{i}}":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}
            """));
        File.WriteAllBytes(Name, Whole(Encoding.UTF8.GetBytes($"{{{header}}}"), []));
        Assert.Contains("it has more than 200000 tensors", Refused(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_device_a_folder_and_a_file_that_is_not_there_are_refused_by_what_they_are()
    {
        foreach (var (path, why) in ((string, string)[])
            [("/dev/zero", "a device"), (Folder, "there is no file"), (Name, "there is no file")])
            Assert.Contains(why, Assert.Throws<ElasticException>(() => SafetensorsFile.Open(path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Opening_reads_the_header_alone_however_long_the_file()
    {
        const long elements = 1L << 28;                                 // a gigabyte, which takes no room on the disk
        var header = Encoding.UTF8.GetBytes(
            $$$"""{"a":{"dtype":"F32","shape":[{{{elements}}}],"data_offsets":[0,{{{elements * 4}}}]}}""");
        File.WriteAllBytes(Name, Whole(header, []));
        using (var file = File.OpenWrite(Name))
            file.SetLength(8 + header.Length + elements * 4);
        var before = GC.GetAllocatedBytesForCurrentThread();
        using var opened = SafetensorsFile.Open(Name);
        Span<float> last = [1];
        opened.Read(opened.Tensors.Single(), elements - 1, last);
        Assert.Equal(0, last[0]);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
        Assert.Throws<ArgumentOutOfRangeException>(() => opened.Read(opened.Tensors.Single(), elements, new float[1]));
    }

    [Fact]
    public void A_file_that_becomes_shorter_while_it_is_read_is_said()
    {
        File.WriteAllBytes(Name, Sample());
        using var opened = SafetensorsFile.Open(Name);
        using (var file = File.OpenWrite(Name))
            file.SetLength(file.Length - 1);
        var last = opened.Tensors[^1];
        Assert.Contains("became shorter while it was read",
            Assert.Throws<ElasticException>(() => opened.Read(last, 0, new float[last.Count])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_tensor_of_whole_numbers_is_listed_and_not_read_as_weights()
    {
        File.WriteAllBytes(Name, Whole("""{"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}"""u8, new byte[8]));
        using var opened = SafetensorsFile.Open(Name);
        Assert.Contains("a in " + Name + " is I64: only F32, BF16 and F16 are read",
            Assert.Throws<ElasticException>(() => opened.Read(opened.Tensors[0], 0, new float[1])).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(ElementType.Float32)]
    [InlineData(ElementType.BFloat16)]
    [InlineData(ElementType.Float16)]
    public void What_was_written_is_read_from_any_place(ElementType type)
    {
        // Longer than what is written or widened at once; numbers that all three types have.
        var values = Enumerable.Range(0, (1 << 20) + 70_001).Select(i => (i % 255 - 127) / 4f).ToArray();
        SafetensorsWriter.Write(
            Folder, [new("x", [values.Length], (first, into) => values.AsSpan((int)first, into.Length).CopyTo(into)), One()], type);
        using var opened = SafetensorsFile.Open(Path.Combine(Folder, "model.safetensors"));
        Assert.Equal(["x", "scalar"], opened.Tensors.Select(t => t.Name));
        var read = new float[values.Length - 3];
        opened.Read(opened.Tensors[0], 3, read);
        Assert.True(values.AsSpan(3).SequenceEqual(read));
        Assert.Empty(opened.Tensors[1].Shape);
    }

    [Fact]
    public void A_weight_that_does_not_fit_or_is_no_number_is_refused_by_its_tensor()
    {
        WrittenTensor Of(float value) => new("big", [2], (_, into) => (into[0], into[1]) = (1, value));
        string Refused(float value, ElementType type)
        {
            var folder = Directory.CreateDirectory(Path.Combine(Folder, Guid.NewGuid().ToString("N"))).FullName;
            return Assert.Throws<ElasticException>(() => SafetensorsWriter.Write(folder, [Of(value)], type)).Message;
        }

        Assert.Equal(
            "element 1 of big is 65520, which is more than fp16 holds: export as fp32 or bf16", Refused(65520, ElementType.Float16));
        Assert.Contains("is 3.4E+38, which is more than bf16 holds", Refused(3.4e38f, ElementType.BFloat16), StringComparison.Ordinal);
        Assert.Equal("element 1 of big is NaN, no finite number", Refused(float.NaN, ElementType.Float32));
    }

    [Fact]
    public void Mutated_files_are_read_or_refused_in_one_sentence_without_much_memory()
    {
        var whole = Sample();
        var (refused, before) = (0, GC.GetAllocatedBytesForCurrentThread());
        for (var mutation = 0; mutation < Mutations; mutation++)
        {
            File.WriteAllBytes(Name, Mutate(whole, new Random(MutationSeed + mutation)));
            try
            {
                using var opened = SafetensorsFile.Open(Name);
                foreach (var tensor in opened.Tensors.Where(t => t.Type == "F32"))
                    opened.Read(tensor, 0, new float[tensor.Count]);
            }
            catch (ElasticException e)
            {
                refused++;
                Assert.StartsWith(Name, e.Message, StringComparison.Ordinal);
                Assert.DoesNotContain("\n", e.Message, StringComparison.Ordinal);
            }
            catch (Exception e)
            {
                Assert.Fail($"mutation {mutation}: {e}");
            }
        }

        Assert.InRange(refused, Mutations / 2, Mutations - 1);
        Assert.InRange((GC.GetAllocatedBytesForCurrentThread() - before) / Mutations, 0, 100_000);
    }

    // Of the header and of its length: bits, signs that mean something, lost and repeated pieces; sometimes the end is lost.
    private static byte[] Mutate(byte[] whole, Random random)
    {
        var bytes = whole.ToList();
        for (var changes = random.Next(1, 4); changes > 0; changes--)
        {
            var place = random.Next(Math.Min(bytes.Count, 400));
            var length = Math.Min(random.Next(1, 60), bytes.Count - place);
            switch (random.Next(6))
            {
                case 0: bytes[place] ^= (byte)(1 << random.Next(8)); break;
                case 1: bytes[place] = Signs[random.Next(Signs.Length)]; break;
                case 2: bytes[place] = (byte)('0' + random.Next(10)); break;
                case 3: bytes.RemoveRange(place, length); break;
                case 4: bytes.InsertRange(place, bytes.GetRange(place, length)); break;
                default: bytes.RemoveRange(bytes.Count - length, length); break;
            }
        }

        return [.. bytes];
    }

    private static WrittenTensor One() => new("scalar", [], (_, into) => into[0] = 1);

    private static byte[] Sample() => Whole("""
        {"__metadata__":{"format":"pt"},"h.0.attn.weight":{"dtype":"F32","shape":[3,4],"data_offsets":[0,48]},"h.0.attn.bias":{"dtype":
        "F32","shape":[4],"data_offsets":[48,64]},"mask":{"dtype":"BOOL","shape":[1,1,8,8],"data_offsets":[64,128]},"empty":{"dtype":"F16",
        "shape":[0,7],"data_offsets":[128,128]},"last":{"dtype":"F32","shape":[],"data_offsets":[128,132]}}
        """u8, new byte[132]);

    private static byte[] Whole(ReadOnlySpan<byte> header, ReadOnlySpan<byte> data)
    {
        var length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
        return [.. length, .. header, .. data];
    }

    private string Refused() => Assert.Throws<ElasticException>(() => SafetensorsFile.Open(Name).Dispose()).Message;
}
