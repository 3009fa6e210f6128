using System.Buffers.Binary;
using System.Text.Json;
using Elastic.Corpus.Build;
using Elastic.Corpus.Build.Stages;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Tests.Build;

public sealed class FastTextTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    // Where the file of a model has what.
    private const int LossAt = 8 + 6 * sizeof(int), KindAt = LossAt + sizeof(int), CountsAt = 8 + 12 * sizeof(int) + sizeof(double);

    public void Dispose() => _folder.Dispose();

    // fastText adds 1e-5 to each factor and prints six digits; a sigmoid for each label comes from a table of 512 steps from -8 to 8.
    [Theory]
    [InlineData("softmax", 3e-5)]
    [InlineData("hs", 4e-5)]
    [InlineData("ns", 0.01)]
    [InlineData("ova", 0.01)]
    public void Probabilities_are_those_of_fastText(string loss, double tolerance)
    {
        var (path, predictions) = Model(loss);
        foreach (var prediction in predictions.EnumerateArray())
        {
            foreach (var label in prediction.GetProperty("probabilities").EnumerateObject())
            {
                var stage = new FastText(Settings(path) with { Label = label.Name });
                var probability = stage.Read(Draft(prediction.GetProperty("text").GetString()!))[0];
                Assert.InRange(probability, label.Value.GetDouble() - tolerance, label.Value.GetDouble() + tolerance);
            }
        }
    }

    [Fact]
    public void A_probability_just_large_enough_passes_and_one_bit_less_does_not()
    {
        var settings = Settings(Model("softmax").Path);
        var probability = new FastText(settings).Read(Draft("le chat"))[0];
        Assert.Null(Why(settings with { Least = 0, Most = probability }, "le chat"));
        Assert.Null(Why(settings with { Least = probability }, "le chat"));
        Assert.Contains("its probability of __label__fr is ",
            Why(settings with { Least = Math.BitIncrement(probability) }, "le chat")!, StringComparison.Ordinal);
        Assert.NotNull(Why(settings with { Least = 0, Most = Math.BitDecrement(probability) }, "le chat"));
    }

    [Fact]
    public void A_label_may_have_braces()
    {
        var path = Model("softmax").Path;
        var bytes = File.ReadAllBytes(path);
        "__label__{0"u8.CopyTo(bytes.AsSpan(bytes.AsSpan().IndexOf("__label__fr"u8)));
        File.WriteAllBytes(path, bytes);
        Assert.StartsWith("its probability of __label__{0 is 0",
            Why(Settings(path) with { Label = "__label__{0", Least = 1 }, "the cat"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_build_is_named_after_the_model_s_bytes_and_not_after_its_place()
    {
        var (path, _) = Model("softmax");
        File.Copy(path, _folder["elsewhere.bin"]);
        var (first, second) = (Planned(path), Planned(_folder["elsewhere.bin"]));
        Assert.Equal(first.Identity, second.Identity);
        Assert.NotEqual(first.ReadingIdentity, Planned(Model("ova").Path).ReadingIdentity);
        Assert.Equal(first.ReadingIdentity, Planned(path, "least=0.9").ReadingIdentity);
    }

    [Fact]
    public void A_label_that_the_model_lacks_is_refused_with_those_that_it_has() => Refusal.Says(
        $"{Model("softmax").Path} has no label __label__xx: use one of __label__en, __label__fr, __label__de",
        () => new FastText(Settings(Model("softmax").Path) with { Label = "__label__xx" }));

    [Fact]
    public void A_file_that_is_no_classifier_or_damaged_is_refused_by_name()
    {
        Refuses("is no model of fastText: name a .bin file that fasttext supervised has written", _ => [1, 2, 3, 4, 5]);
        Refuses("is no model of fastText: name a .bin file that fasttext supervised has written", _ => []);
        Refuses("has version 13 of fastText's format, and 11 and 12 are read here", bytes => Set(bytes, 4, 13));
        Refuses("has vectors of words and no labels: name a classifier, which fasttext supervised has written",
            bytes => Set(bytes, KindAt, 2));
        Refuses("is damaged (its loss are 5, and 1 to 4 can be): copy it again", bytes => Set(bytes, LossAt, 5));
        Refuses("is damaged (its words are 2147483647, and 0 to 35 can be): copy it again",
            bytes => Set(bytes, CountsAt + 4, int.MaxValue));
        Refuses("is a model of fastText that was cut short: copy it again", bytes => bytes[..^1]);
        Refuses("is a model of fastText that was cut short: copy it again", bytes => bytes[..100]);
        // After the words come the number of those that were left out, and, before the vectors, whether they are quantized.
        Refuses("is a quantized model (.ftz), whose vectors are not kept whole: name the .bin file that it was made from",
            bytes => Set(Set(bytes, CountsAt + 20, 1), CountsAt + 24, 0));
        Refuses("is a quantized model (.ftz), whose vectors are not kept whole: name the .bin file that it was made from", bytes =>
        {
            bytes[EndOfEntries(bytes)] = 1;
            return bytes;
        });
        Refuses("is damaged (a vector of its labels is not finite): copy it again", bytes =>
        {
            BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(bytes.Length - 4), float.NaN);
            return bytes;
        });
        Refuses("is damaged (the vectors of its words and n-grams are 1099511627776 of 4 numbers, and ", bytes =>
        {
            BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(EndOfEntries(bytes) + 1), 1L << 40);
            return bytes;
        });
    }

    private static int EndOfEntries(byte[] bytes)
    {
        var at = CountsAt + 3 * sizeof(int) + 2 * sizeof(long);
        for (var entries = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(CountsAt)); entries > 0; entries--)
            at += bytes.AsSpan(at).IndexOf((byte)0) + 1 + sizeof(long) + 1;
        return at;
    }

    private static byte[] Set(byte[] bytes, int at, int value)
    {
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(at), value);
        return bytes;
    }

    private void Refuses(string what, Func<byte[], byte[]> damage)
    {
        var path = _folder["damaged.bin"];
        File.WriteAllBytes(path, damage(File.ReadAllBytes(Model("softmax").Path)));
        Assert.StartsWith($"{path} {what}",
            Assert.Throws<Foundation.ElasticException>(() => new FastText(Settings(path))).Message, StringComparison.Ordinal);
    }

    private static PlannedStage Planned(string path, string more = "least=0.5") =>
        Manifests.Of([("a", "a")], $"fasttext model={path} label=__label__fr {more}").Stages[0];

    private static FastTextSettings Settings(string path) =>
        SettingsRecord.DefaultsOf<FastTextSettings>() with { Model = path, Label = "__label__fr" };

    private static string? Why(FastTextSettings settings, string text)
    {
        var stage = new FastText(settings);
        return stage.Refusal(stage.Read(Draft(text)));
    }

    private static Draft Draft(string text) => new(new DocumentFacts("source", "name", DocumentFormat.Text), text);

    private (string Path, JsonElement Predictions) Model(string loss)
    {
        using var file = typeof(FastTextTests).Assembly.GetManifestResourceStream("fasttext.json")!;
        var model = JsonDocument.Parse(file).RootElement.EnumerateArray().Single(m => m.GetProperty("loss").GetString() == loss);
        File.WriteAllBytes(_folder[$"{loss}.bin"], model.GetProperty("model").GetBytesFromBase64());
        return (_folder[$"{loss}.bin"], model.GetProperty("predictions"));
    }
}
