using Elastic.Host.Commands;
using Elastic.Host.Configuration;
using Elastic.Messages.Settings;

namespace Elastic.Host.Tests.Configuration;

public sealed class ConfigurationTests
{
    [Fact]
    public void An_unknown_key_is_an_error_that_names_the_nearest_key()
    {
        Assert.Contains("did you mean optimizer.learning-rate?", Refusal("optimizer.learning_rate=1"), StringComparison.Ordinal);
        Assert.Contains("did you mean optimizer.learning-rate?", Refusal("run.learning-rate=1"), StringComparison.Ordinal);
        Assert.Contains("did you mean checkpoint.keep?", Refusal("checkpoints.keep=1"), StringComparison.Ordinal);
    }

    [Fact]
    public void An_unknown_key_in_a_file_is_found_by_file_and_line()
    {
        var file = Write("# a comment\nmodel {\n  layers = 2\n  widht = 64   # misspelt\n}\n");
        Assert.Equal($"unknown key model.widht ({file}, line 4): did you mean model.width?", RefusalOf(new([file], [])));
    }

    [Theory]
    [InlineData("run.rounds=many", "run.rounds = many (--set): expected a whole number")]
    [InlineData("run.seed=-1", "run.seed = -1 (--set): expected a whole number from 0 to 18446744073709551615")]
    [InlineData("optimizer.learning-rate=fast", "optimizer.learning-rate = fast (--set): expected a number")]
    [InlineData("optimizer.learning-rate=NaN", "optimizer.learning-rate = NaN (--set): expected a number")]
    [InlineData("optimizer.betas=0.9", "optimizer.betas = 0.9 (--set): expected a list of two numbers, e.g. [0.9, 0.95]")]
    [InlineData("optimizer.schedule=cosinus",
        "optimizer.schedule = cosinus (--set): expected linear or cosine or constant or inverse-square-root or warmup-stable-decay")]
    [InlineData("batch.micro=null", "batch.micro is not set: give it a value (the default is 8)")]
    [InlineData("model.layers=[1]", "model.layers = [1] (--set): expected a whole number")]
    public void A_value_of_the_wrong_type_names_key_value_and_expectation(string set, string message) =>
        Assert.Equal(message, Refusal(set));

    [Fact]
    public void A_batch_that_does_not_divide_is_refused_with_a_remedy()
    {
        var refusal = Refusal("batch.sequences=10");
        Assert.StartsWith("batch.sequences = 10 does not divide by batch.micro = 8", refusal, StringComparison.Ordinal);
        Assert.EndsWith("use batch.micro = 10 (--set)", refusal, StringComparison.Ordinal);
    }

    [Fact]
    public void All_problems_are_told_at_once() =>
        Assert.Equal(3, Refusal("model.layers=0", "checkpoint.keep=0", "corpus.tokenizer=klingon").Split('\n').Length);

    [Fact]
    public void Problems_of_every_kind_are_told_together()
    {
        var refusal = RefusalOf(new(["nope"], ["a=b", "foo", "run.rounds=x", "model.layers=0", "node.devices=gpu", "node.network=wan"])
        { Options = [("--host", "node.host", "0.0.0.0"), ("--database", "node.database", "mysql://a:secret@b")] }).Split('\n');
        string[] told =
        [
            "--config nope", "--set foo", "unknown key a (--set)", "run.rounds = x (--set)", "model.layers = 0",
            "node.devices = \"gpu\": use auto, cpu:N", "node.host = \"0.0.0.0\": it stands for all addresses", "node.network = \"wan\"",
            "node.database is wrong",
        ];
        Assert.Equal(told.Length, refusal.Length);
        Assert.All(told, t => Assert.Single(refusal, r => r.StartsWith(t, StringComparison.Ordinal)));
        Assert.Contains(refusal, r => r.EndsWith("(--database)", StringComparison.Ordinal));
        Assert.DoesNotContain(refusal, r => r.Contains("secret", StringComparison.Ordinal));
    }

    [Fact]
    public void What_no_key_is_near_to_gets_no_guess() =>
        Assert.Equal("unknown key zzz.yyyyyy (--set): elastic config shows all keys", Refusal("zzz.yyyyyy=1"));

    [Theory]
    [InlineData("tiny", null, 3e-3, 2e-4)]                                    // what the preset says
    [InlineData("tiny", "optimizer.learning-rate=3e-3", 3e-3, 2e-4)]
    [InlineData("tiny", "optimizer.learning-rate=1.5e-3", 1.5e-3, 1e-4)]
    [InlineData("tiny", "optimizer.learning-rate=1.5e-4", 1.5e-4, 1e-5)]
    [InlineData("gpt2-124m", null, 6e-4, 6e-5)]
    [InlineData("gpt2-124m", "optimizer.learning-rate=1e-4", 1e-4, 1e-5)]
    public void The_minimum_of_a_preset_goes_with_the_peak_that_a_person_sets(string preset, string? set, double peak, double minimum)
    {
        var optimizer = Load(new([preset], set is null ? [] : [set])).Training.Optimizer;
        Assert.Equal((peak, minimum), (optimizer.LearningRate, optimizer.MinimumLearningRate));
    }

    [Fact]
    public void The_minimum_of_the_defaults_goes_with_a_file_s_peak_and_a_person_s_minimum_is_never_changed()
    {
        var file = Write("optimizer.learning-rate = 1e-4");
        Assert.Equal(1e-5, Load(new([file], [])).Training.Optimizer.MinimumLearningRate);
        var both = Write("optimizer { learning-rate = 1e-3, minimum-learning-rate = 5e-4 }");
        Assert.Equal(5e-4, Load(new([both], ["optimizer.learning-rate=6e-4"])).Training.Optimizer.MinimumLearningRate);
        Assert.Contains(
            "optimizer.minimum-learning-rate = 0.0005: use 0 to optimizer.learning-rate (0.0001)",
            RefusalOf(new([both], ["optimizer.learning-rate=1e-4"])), StringComparison.Ordinal);
    }

    [Fact]
    public void The_defaults_and_the_presets_resolve_to_what_they_always_have()
    {
        Assert.Equal((2e-3, 2e-4), (OptimizerSettings.Defaults.LearningRate, OptimizerSettings.Defaults.MinimumLearningRate));
        Assert.Contains(Text("0.0002"), SettingsText.Write(TrainingSettings.Defaults), StringComparison.Ordinal);
        Assert.Contains(Text("0.0002"), SettingsText.Write(Load(new(["tiny"], [])).Training), StringComparison.Ordinal);
        Assert.Contains(Text("6E-05"), SettingsText.Write(Load(new(["gpt2-124m"], [])).Training), StringComparison.Ordinal);

        static string Text(string minimum) => $"\"optimizer.minimum-learning-rate\":{minimum},";
    }

    [Fact]
    public void A_block_that_is_set_to_a_value_is_an_error() =>
        Assert.Contains("model (--set): it is a block", Refusal("model=big"), StringComparison.Ordinal);

    [Fact]
    public void A_set_without_a_value_is_an_error_that_shows_how() =>
        Assert.Contains("write --set key=value", Refusal("run.rounds"), StringComparison.Ordinal);

    [Fact]
    public void A_config_that_is_neither_preset_nor_file_names_the_nearest_preset() =>
        Assert.Contains("did you mean gpt2-124m?", RefusalOf(new(["gpt2-124"], [])), StringComparison.Ordinal);

    [Theory]
    [InlineData("[1, 2]", "not valid HOCON")]
    [InlineData("run.name = ${nothing}", "${NAME} is not supported")]
    [InlineData("include \"tiny\"", "include is not supported")]
    [InlineData("# first\nmodel {\n layers = 2", "the { on line 2 is never closed")]
    [InlineData("model { layers = 2 } }", "the '}' on line 1 closes nothing")]
    [InlineData("run.name = \"abc", "the \" on line 1 is never closed")]
    [InlineData("optimizer.betas = [0.9, # why\n 0.95", "the [ on line 1 is never closed")]
    public void A_file_that_is_not_HOCON_is_named_with_what_is_wrong(string text, string wrong)
    {
        var file = Write(text);
        var refusal = RefusalOf(new([file], []));
        Assert.Contains(file, refusal, StringComparison.Ordinal);
        Assert.Contains(wrong, refusal, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_shown_of_the_database_has_no_password()
    {
        const string key = "node.database";
        var value = new SettingText(key, ["postgres://anna:secret@db/elastic"], IsList: false, "--set");
        var line = Assert.Single(
            ConfigCommand.Lines(new Dictionary<string, SettingText> { [key] = value }),
            l => l.StartsWith(key, StringComparison.Ordinal));
        Assert.StartsWith("node.database = \"postgres://anna:***@db/elastic\"", line, StringComparison.Ordinal);
    }

    [Fact]
    public void A_long_value_has_a_space_before_its_comment()
    {
        var path = "/data/" + new string('x', 80);
        var value = new SettingText("node.data-dir", [path], IsList: false, "here");
        Assert.Contains(
            $"node.data-dir = \"{path}\" # here", ConfigCommand.Lines(new Dictionary<string, SettingText> { [value.Key] = value }));
    }

    [Fact]
    public void Every_preset_loads_and_has_no_problems()
    {
        Assert.Equal(
            ["transformer-tiny", "tiny", "smollm-135m", "pile", "llama-tiny", "gpt2-124m", "fine-tune", "bert-tiny"], Presets.Names);
        Assert.All(Presets.Names, name => Assert.Equal(name, Load(new([name], [])).Training.Run.Name));
    }

    [Fact]
    public void Options_beat_sets_and_sets_beat_files_and_files_beat_defaults()
    {
        var file = Write("run { name = from-file, seed = 7 }\nmodel.layers = 3");
        var settings = Load(new([file], ["run.seed=8", "run.name=from-set", "run.seed=9"], Run: "from-option"));
        Assert.Equal(
            ("from-option", 9UL, 3, 20),
            (settings.Training.Run.Name, settings.Training.Run.Seed, settings.Training.Model.Layers, settings.Training.Run.InnerSteps));
    }

    [Fact]
    public void Two_configs_lie_on_top_of_each_other()
    {
        var file = Write("run.name = mine");
        var settings = Load(new(["gpt2-124m", file], []));
        Assert.Equal(
            ("mine", 12, $"gpt2-124m + {Path.GetFileName(file)}"),
            (settings.Training.Run.Name, settings.Training.Model.Layers, settings.Title));
    }

    [Fact]
    public void Of_rounds_and_epochs_the_one_that_was_set_last_counts()
    {
        var epochs = Load(new(["tiny"], ["run.epochs=2"])).Training.Run;
        Assert.Equal((null, 2), (epochs.Rounds, epochs.Epochs));
        var rounds = Load(new(["tiny"], ["run.epochs=2", "run.rounds=5"])).Training.Run;
        Assert.Equal((5, null), (rounds.Rounds, rounds.Epochs));
    }

    [Fact]
    public void Lists_and_odd_paths_can_be_set()
    {
        var settings = Load(new([], ["optimizer.betas=[0.8, 0.9]", "corpus.sources=/tmp/a#b:c, d"]));
        Assert.Equal((0.8, 0.9), (settings.Training.Optimizer.Beta1, settings.Training.Optimizer.Beta2));
        Assert.Equal(["/tmp/a#b:c, d"], settings.Training.Corpus.Sources);
        Assert.Equal(["x", "y"], Load(new([], [], Corpus: ["x", "y"])).Training.Corpus.Sources);
    }

    [Fact]
    public void The_data_directory_comes_from_the_option_else_the_environment_else_the_current_directory()
    {
        Assert.Equal(Path.GetFullPath("elastic-data"), Load(new([], [])).Node.DataDir);
        Assert.Equal("/srv/env", Load(new([], [], EnvironmentDataDir: "/srv/env")).Node.DataDir);
        Assert.Equal("/srv/option", Load(new([], [], DataDir: "/srv/option", EnvironmentDataDir: "/srv/env")).Node.DataDir);
    }

    [Fact]
    public void Null_takes_a_value_back() => Assert.Null(Load(new([], ["model.init=/x", "model.init=null"])).Training.Model.Init);

    [Fact]
    public void Nothing_is_a_value_where_nothing_is_set()
    {
        var settings = Load(new([], [])).Training;
        Assert.Null(settings.Model.Init);
        Assert.Empty(settings.Corpus.Sources);
        Assert.Empty(Load(new([], ["corpus.sources=[a]", "corpus.sources=[]"])).Training.Corpus.Sources);
    }

    [Fact]
    public void Seeds_are_exact_up_to_the_largest_one() =>
        Assert.Equal(ulong.MaxValue, Load(new([], [$"run.seed={ulong.MaxValue}"])).Training.Run.Seed);

    [Fact]
    public void A_tokenizers_name_is_no_folder_of_that_name_unless_it_is_written_as_a_path()
    {
        foreach (var name in (string[])["byte", "gpt2", $"json-{new string('0', 32)}-7", "elastic-test-tokenizer"])
        {
            var isNew = !Path.Exists(name);
            Directory.CreateDirectory(name);
            try
            {
                Assert.Equal(
                    name == "elastic-test-tokenizer" ? Path.GetFullPath(name) : name,
                    Load(new([], [$"corpus.tokenizer={name}"])).Training.Corpus.Tokenizer);
                Assert.Equal(Path.GetFullPath(name), Load(new([], [$"corpus.tokenizer=./{name}"])).Training.Corpus.Tokenizer);
            }
            finally
            {
                if (isNew)
                    Directory.Delete(name);
            }
        }
    }

    private static ElasticSettings Load(ConfigurationRequest request) => ConfigurationLoader.Load(request);

    private static string Refusal(params string[] sets) => RefusalOf(new([], sets));

    private static string RefusalOf(ConfigurationRequest request) => Assert.Throws<SettingsException>(() => Load(request)).Message;

    private static string Write(string text)
    {
        var file = Path.Combine(Directory.CreateTempSubdirectory("elastic-test-").FullName, "mine.conf");
        File.WriteAllText(file, text);
        return file;
    }
}
