using Elastic.Corpus.Build;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Tests.Build;

public sealed class DefaultMixtureTests : IDisposable
{
    private readonly BuiltFolders _folders = new();

    public void Dispose() => _folders.Dispose();

    [Fact]
    public void The_weights_of_the_manifest_are_the_mixture_where_nobody_sets_one()
    {
        var manifest = Manifest(3, 0.5);
        var text = _folders.Build(manifest);
        DefaultMixture.Write(text, manifest);
        var settings = Corpora.Settings(text.TextFolder + Path.DirectorySeparatorChar);
        // Nothing of the third source is trained on: the corpus does not have it.
        Assert.Equal(["a=3", "b=0.5"], DefaultMixture.Apply(settings).Mixture);
        Assert.Equal(["a=1", "b/part=2"], DefaultMixture.Apply(settings with { Mixture = ["a=1", "b/part=2"] }).Mixture);
        Refusal.Says("corpus.mixture names held, of which the text", () => DefaultMixture.Apply(settings with { Mixture = ["held=1"] }));
        Refusal.Says("nothing to train on: it has a, b", () => DefaultMixture.Apply(settings with { Mixture = ["a=1", "bb=1"] }));
        Assert.Equal(["a=3", "b=0.5"], DefaultMixture.Apply(settings with { Order = CorpusOrder.Stream }).Mixture);
        // A file of text is of one source.
        Assert.Equal(["kept-00000-00000.jsonl.zst", "kept-00001-00001.jsonl.zst"],
            Directory.GetFiles(text.TextFolder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Empty(DefaultMixture.Apply(Corpora.Settings(text.Folder)).Mixture);
        Assert.Empty(BuildAudit.Check(text, CancellationToken.None).Problems);

        // Other weights are of the same text.
        Assert.Equal(text.Folder, _folders.Build(Manifest(1, 1)).Folder);
        DefaultMixture.Write(text, Manifest(1, 1));
        Assert.Empty(DefaultMixture.Apply(settings).Mixture);

        File.WriteAllText(Path.Combine(text.Folder, DefaultMixture.FileName), "a=many\n");
        Refusal.Says("mixture is damaged: build the text again with its manifest, or set corpus.mixture",
            () => DefaultMixture.Apply(settings));
    }

    // A source with subsets is in the corpus under their names, and its weight is of the whole.
    [Fact]
    public void The_weight_of_a_source_is_that_of_its_subsets_unless_they_have_their_own()
    {
        var pile = _folders.Records("pile.jsonl", Enumerable.Range(0, 60).Select(
            i => new { text = $"a text with the number {i} of some length", source = i % 2 == 0 ? "web" : "law/eu" }));
        var manifest = Manifests.OfSources(
            [("name", "pile"), ("paths[]", pile), ("subsets", "true"), ("weight", "2")],
            [("name", "pil"), ("paths[]", _folders.Texts("b.jsonl", Enumerable.Range(0, 30).Select(i => $"another text, number {i}")))]);
        var text = _folders.Build(manifest);
        DefaultMixture.Write(text, manifest);
        var mixture = DefaultMixture.Apply(Corpora.Settings(text.TextFolder)).Mixture;
        Assert.Equal(["pile=2", "pil=1"], mixture);
        var corpus = _folders.Corpus(text, heldOut: 0, of: ShardSources.Grouped);
        IReadOnlyList<(string, long)> Times(params string[] weights) =>
        [
            .. MixtureOrder.Of(1, weights, corpus.TrainShards, new SampleCut(SampleKind.Blocks, 8)).Sources
                .Select(s => (s.Name, s.Samples / s.Blocks)).Order(),
        ];
        Assert.Equal([("pil", 1), ("pile/law/eu", 2), ("pile/web", 2)], Times([.. mixture]));
        Assert.Equal([("pil", 1), ("pile/law/eu", 5), ("pile/web", 3)], Times("pile=3", "pile/law=5", "pil=1"));
        Refusal.Says("corpus.mixture names pi, which is no source of the corpus", () => Times("pi=1"));
    }

    [Fact]
    public void Weights_do_not_name_a_corpus_but_that_it_is_mixed_does()
    {
        var files = CorpusSources.Resolve([_folders.Build(Manifest(1, 1)).TextFolder]);
        var settings = Corpora.Settings("a");
        var plain = CorpusIdentity.Identify(files, settings).Id;
        var mixed = CorpusIdentity.Identify(files, settings with { Mixture = ["a=2"] }).Id;
        Assert.NotEqual(plain, mixed);
        Assert.Equal(mixed, CorpusIdentity.Identify(files, settings with { Mixture = ["a=0.5", "b=7"] }).Id);
        // In turn they are in other shards; without a mixture a stream has the corpus of all others.
        var inTurn = settings with { Mixture = ["a=2"], Order = CorpusOrder.Stream };
        Assert.DoesNotContain(CorpusIdentity.Identify(files, inTurn).Id, new[] { plain, mixed });
        Assert.Equal(plain, CorpusIdentity.Identify(files, inTurn with { Mixture = [] }).Id);
    }

    private BuildManifest Manifest(double first, double second)
    {
        var manifest = Manifests.Of(
        [
            ("a", _folders.Texts("a.jsonl", ["one text", "two texts"])), ("b", _folders.Texts("b.jsonl", ["three texts"])),
            ("held", _folders.Texts("held.jsonl", ["four texts"])),
        ]);
        return manifest with
        {
            Sources =
            [
                manifest.Sources[0] with { Weight = first }, manifest.Sources[1] with { Weight = second },
                manifest.Sources[2] with { Validation = 1 },
            ],
        };
    }
}
