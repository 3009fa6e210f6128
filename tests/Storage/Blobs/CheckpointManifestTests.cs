using System.Text;
using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Testing;

namespace Elastic.Storage.Tests;

public sealed class CheckpointManifestTests : TemporaryFolder
{
    private static readonly TrainingSettings Settings = TinySettings.Of("a");

    internal static readonly CheckpointManifest Manifest = new(
        1, "a", 12, Settings.Model.Signature, SettingsText.Write(Settings), Hex("c0"), "byte", Hex("f0"),
        Hex("p0"), [Hex("i0"), Hex("i1")], 1234567890123, Hex("l0"), "../blobs");

    private string Name => Path.Combine(Folder, "round-000012.json");

    [Fact]
    public void A_missing_file_says_what_to_name()
    {
        foreach (var path in new[] { Name, Path.Combine(Folder, "none", "round-000012.json") })
            Assert.Equal($"there is no checkpoint {path}: name the round-NNNNNN.json of a run's checkpoints folder", Refused(path));
    }

    [Theory]
    [InlineData("")]
    [InlineData("not json")]
    [InlineData("""{"format":1,"run":""")]
    [InlineData("""{"format":"one"}""")]
    [InlineData("[1]")]
    [InlineData("""{"format":1,"parameters":"../p0"}""")]
    [InlineData("""{"format":1}""")]
    public void What_is_no_manifest_is_refused_with_its_path(string text)
    {
        File.WriteAllText(Name, text);
        Assert.StartsWith($"{Name} is no checkpoint manifest (", Refused(Name), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"format":2,"parameters":"p0"}""", "2")]
    [InlineData("null", "")]
    public void Another_format_is_refused_by_its_number(string text, string format)
    {
        File.WriteAllText(Name, text);
        Assert.Equal($"{Name} is a checkpoint of format {format}, and this version of Elastic reads format 1", Refused(Name));
    }

    public static TheoryData<string, CheckpointManifest> Unusable => new()
    {
        { "its parameters are no digest", Manifest with { Parameters = "" } },
        { "its fingerprint is no digest", Manifest with { Fingerprint = null! } },
        { "its chainHead is no digest", Manifest with { ChainHead = "../x" } },
        { "its innerStates are no digest", Manifest with { InnerStates = [Hex("i0"), ""] } },
        { "a field is missing", Manifest with { InnerStates = null! } },
        { "a field is missing", Manifest with { Settings = null! } },
        { "a field is missing", Manifest with { Tokenizer = null! } },
        { "there is no tokenizer", Manifest with { Tokenizer = "none" } },
        { "its tokenizer gpt2 has 50257 tokens, and its model 257", Manifest with { Tokenizer = "gpt2" } },
        { "is below 0", Manifest with { Version = -1 } },
        { "its blobs are in \"/etc\", and only ../blobs is read", Manifest with { Blobs = "/etc" } },
        { "its blobs are in \"../../other/blobs\"", Manifest with { Blobs = "../../other/blobs" } },
        { "its blobs are in \"\"", Manifest with { Blobs = null! } },
        { "the stored settings of the run cannot be read", Manifest with { Settings = "" } },
        { "the stored settings of the run lack", Manifest with { Settings = "{}" } },
        { "and its settings are of", Manifest with { Model = "gpt2 9999x65536 heads 4 context 128 vocabulary 257" } },
        { "model.layers = 2000000000", Of(Settings.Model with { Layers = 2_000_000_000 }) },
        { "model.width = 2000000000", Of(Settings.Model with { Width = 2_000_000_000 }) },
    };

    [Theory]
    [MemberData(nameof(Unusable), DisableDiscoveryEnumeration = true)]
    public void A_manifest_whose_fields_mean_nothing_is_refused_with_the_field(string why, CheckpointManifest manifest)
    {
        File.WriteAllBytes(Name, manifest.ToBytes());
        var refused = Refused(Name);
        Assert.StartsWith($"{Name} is no checkpoint manifest (", refused, StringComparison.Ordinal);
        Assert.Contains(why, refused, StringComparison.Ordinal);
    }

    [Fact]
    public void A_manifest_comes_back_as_it_was_and_has_the_keys_that_others_read()
    {
        File.WriteAllBytes(Name, Manifest.ToBytes());
        var back = CheckpointManifest.Read(Name);
        Assert.Equal(Manifest with { InnerStates = [] }, back with { InnerStates = [] });
        Assert.Equal(Manifest.InnerStates, back.InnerStates);
        Assert.Equal(
            ["format", "run", "version", "model", "settings", "corpus", "tokenizer",
                "fingerprint", "parameters", "innerStates", "tokensSeen", "chainHead", "blobs"],
            System.Text.Json.JsonDocument.Parse(Encoding.UTF8.GetString(Manifest.ToBytes()))
                .RootElement.EnumerateObject().Select(p => p.Name));
    }

    [Fact]
    public void A_device_or_a_pipe_is_no_manifest_and_takes_neither_memory_nor_a_thread()
    {
        Assert.Contains("or a device", Refused("/dev/zero"), StringComparison.Ordinal);
        using (var make = System.Diagnostics.Process.Start("mkfifo", [Name]))
            make.WaitForExit();
        Assert.Contains("is a pipe", Refused(Name), StringComparison.Ordinal);
    }

    [Fact]
    public void Manifests_are_listed_newest_first_and_a_run_without_any_has_none()
    {
        Assert.Empty(CheckpointFiles.In(Path.Combine(Folder, "none")));
        foreach (var name in new[]
            { "round-000002.json", "round-1000000.json", "round-999999.json", "round-000100.json", "round-7.json", "other.json" })
            File.WriteAllText(Path.Combine(Folder, name), "");
        Assert.Equal(
            ["round-1000000.json", "round-999999.json", "round-000100.json", "round-000002.json"],
            CheckpointFiles.In(Folder).Select(Path.GetFileName));
        CheckpointFiles.Retain(Folder, new BlobStore(Path.Combine(Folder, "blobs")), [1_000_000, 2], [], 0);
        Assert.Equal(["round-1000000.json", "round-000002.json"], CheckpointFiles.In(Folder).Select(Path.GetFileName));
        Assert.True(File.Exists(Path.Combine(Folder, "other.json")) && File.Exists(Path.Combine(Folder, "round-7.json")));
    }

    [Fact]
    public void A_damaged_manifest_is_said_and_the_others_are_read()
    {
        File.WriteAllText(Path.Combine(Folder, "round-000003.json"), "{");
        File.WriteAllBytes(Path.Combine(Folder, "round-000002.json"), (Manifest with { Version = 2 }).ToBytes());
        var found = CheckpointFiles.Read(Folder).ToList();
        Assert.Contains("is no checkpoint manifest", found[0].Problem, StringComparison.Ordinal);
        Assert.Equal((null, 2, null), (found[0].Manifest, found[1].Manifest?.Version, found[1].Problem));
    }

    [Fact]
    public void A_backup_copies_a_manifest_of_the_same_length_again()
    {
        var (source, target) = (Path.Combine(Folder, "round-000002.json"), Path.Combine(Folder, "copy", "round-000002.json"));
        foreach (var text in new[] { "one", "two" })
        {
            File.WriteAllText(source, text);
            BackupFolder.Copy(source, target);
            Assert.Equal(text, File.ReadAllText(target));
        }
    }

    [Fact]
    public void The_newest_checkpoint_that_is_whole_stays_with_its_blobs_whatever_is_asked()
    {
        var blobs = new BlobStore(Path.Combine(Folder, "blobs"));
        var kept = Put(blobs, "kept");
        foreach (var (version, parameters) in new[] { (5, Put(blobs, "old")), (10, kept), (20, Digest.Of("a set that is gone"u8)) })
            File.WriteAllBytes(
                Path.Combine(Folder, $"round-{version:000000}.json"),
                (Manifest with { Version = version, Parameters = parameters.Hex, InnerStates = [] }).ToBytes());

        Assert.Equal(10, CheckpointFiles.Retain(Folder, blobs, [], [], int.MaxValue).Unnamed);
        Assert.Equal(["round-000010.json"], CheckpointFiles.In(Folder).Select(Path.GetFileName));
        Assert.True(blobs.IsWhole(kept));
        Assert.False(blobs.Has(Put(new BlobStore(Path.Combine(Folder, "elsewhere")), "old")));
        Assert.Null(CheckpointFiles.Retain(Folder, blobs, [10], [kept], int.MaxValue).Unnamed);
    }

    [Fact]
    public void A_checkpoint_that_somebody_reads_stays_with_its_blobs_until_it_is_let_go()
    {
        var (blobs, held, run) = (new BlobStore(Path.Combine(Folder, "blobs")), new HeldCheckpoints(), new RunId("a-3k9v2mq7"));
        var (old, newer) = (Put(blobs, "old"), Put(blobs, "new"));
        foreach (var (version, parameters) in new[] { (5, old), (10, newer) })
            File.WriteAllBytes(
                Path.Combine(Folder, $"round-{version:000000}.json"),
                (Manifest with { Version = version, Parameters = parameters.Hex, InnerStates = [] }).ToBytes());

        using (held.Take(run, 5))
        {
            held.Take(run, 5).Dispose();                               // another one, who is done
            CheckpointFiles.Retain(Folder, blobs, [10], [newer], int.MaxValue, held.Of(run));
            Assert.Equal(["round-000010.json", "round-000005.json"], CheckpointFiles.In(Folder).Select(Path.GetFileName));
            Assert.True(blobs.IsWhole(old));
            Assert.Empty(held.Of(new RunId("b-3k9v2mq7")));
        }
        CheckpointFiles.Retain(Folder, blobs, [10], [newer], int.MaxValue, held.Of(run));
        Assert.Equal(["round-000010.json"], CheckpointFiles.In(Folder).Select(Path.GetFileName));
        Assert.False(blobs.IsWhole(old));
    }

    private static Digest Put(BlobStore blobs, string text) => blobs.PutSet(new VectorSet(new Dictionary<string, VectorManifest>
    {
        [VectorSet.Parameters] = new(1, [blobs.Put(Encoding.UTF8.GetBytes(text))]),
    }));

    private static CheckpointManifest Of(ModelSettings model) =>
        Manifest with { Model = model.Signature, Settings = SettingsText.Write(Settings with { Model = model }) };

    private static string Hex(string text) => Digest.Of(Encoding.UTF8.GetBytes(text)).Hex;

    private static string Refused(string path) => Assert.Throws<ElasticException>(() => CheckpointManifest.Read(path)).Message;
}
