using Elastic.Messages.Pbm;

namespace Elastic.Pbm.Tests;

/// <summary>pbm --script FILE.</summary>
public sealed class ScriptTests : IDisposable
{
    private readonly string _file = Path.GetTempFileName();

    public void Dispose() => File.Delete(_file);

    [Fact]
    public async Task Lines_that_cannot_be_read_are_all_told_and_no_seed_is_asked()
    {
        await WriteAsync("animal list", "seed2:9110 animal list", "", "animal feed -n \"leo", "--script other", "animal --certs");
        using var pbm = new PbmRun();
        Assert.Equal(ExitCodes.WrongUsage, await pbm.RunAsync("127.0.0.1:1", "--script", _file));
        Assert.Equal(
            [
                $"error: {_file}:2: seed2:9110 animal list is no command: all commands go to 127.0.0.1:1",
                $"error: {_file}:4: a quote is left open: animal feed -n \"leo",
                $"error: {_file}:5: --script other is no command: all commands go to 127.0.0.1:1",
                $"error: {_file}:6: --certs needs the folder of your certificates",
                "see: pbm --help",
            ], pbm.Error.TrimEnd().Split(Environment.NewLine));
    }

    [Fact]
    public async Task A_command_that_the_seed_does_not_have_keeps_all_others_from_being_given()
    {
        await WriteAsync("animal list", "animal lst", "help animal", "animal feed");
        using var seed = new ScriptedSeed();
        using var pbm = new PbmRun();
        var playing = seed.PlayAsync(async (_, stream) =>
        {
            await stream.ReadAsync(TestDeadline.Token);
            await stream.WriteAsync(new PbmMessage.Hello(PbmMessage.Protocol, "test"), TestDeadline.Token);
            await stream.ReadAsync(TestDeadline.Token);
            await stream.WriteAsync(new PbmMessage.Catalogue(Catalogues.Zoo), TestDeadline.Token);
            Assert.Null(await stream.ReadAsync(TestDeadline.Token));
        });
        Assert.Equal(ExitCodes.WrongUsage, await pbm.RunAsync(seed.Address.ToString(), "--script", _file));
        await playing;
        Assert.Contains($"error: {_file}:2: lst is no command of animal here", pbm.Error, StringComparison.Ordinal);
        Assert.Contains($"error: {_file}:4: -n NAME is missing", pbm.Error, StringComparison.Ordinal);
        Assert.Equal(3, pbm.Error.TrimEnd().Split(Environment.NewLine).Length);
    }

    [Fact]
    public async Task Commands_go_one_after_the_other_over_one_connection_up_to_the_first_that_fails()
    {
        await WriteAsync("# feeds", "  animal list\r", "", "\t# leo", "animal feed -n 'leo b' --json", "cage clean", "exit", "nonsense");
        using var seed = new ScriptedSeed();
        using var pbm = new PbmRun();
        var playing = seed.PlayCallAsync(async (_, stream, first) =>
        {
            Assert.Equal(("animal", "list", false), (first.Palette, first.Command, first.Json));
            await stream.WriteAsync(new PbmMessage.Line("leo"), TestDeadline.Token);
            await stream.WriteAsync(new PbmMessage.End(0, ""), TestDeadline.Token);
            var second = Assert.IsType<PbmMessage.Call>(await stream.ReadAsync(TestDeadline.Token));
            Assert.Equal(("animal", "feed", true), (second.Palette, second.Command, second.Json));
            Assert.Equal([new CallValue("name", "leo b")], second.Values);
            await stream.WriteAsync(new PbmMessage.End(3, "no lion"), TestDeadline.Token);
            Assert.Null(await stream.ReadAsync(TestDeadline.Token));
        });
        Assert.Equal(3, await pbm.RunAsync(seed.Address.ToString(), "--script", _file));
        await playing;
        Assert.Equal($"leo{Environment.NewLine}{{\"error\":\"no lion\",\"exitCode\":3}}{Environment.NewLine}", pbm.Output);
        Assert.Equal(
            ["error: no lion", $"{_file}:5 ended with 3: the commands after it were not given"],
            pbm.Error.TrimEnd().Split(Environment.NewLine));
    }

    [Fact]
    public async Task Json_is_for_all_commands_and_where_none_fails_the_code_is_0()
    {
        await WriteAsync("animal list", "cage clean");
        using var seed = new ScriptedSeed();
        using var pbm = new PbmRun();
        var playing = seed.PlayCallAsync(async (_, stream, first) =>
        {
            Assert.True(first.Json);
            await stream.WriteAsync(new PbmMessage.End(0, ""), TestDeadline.Token);
            Assert.True(Assert.IsType<PbmMessage.Call>(await stream.ReadAsync(TestDeadline.Token)).Json);
            await stream.WriteAsync(new PbmMessage.End(0, ""), TestDeadline.Token);
        });
        Assert.Equal(ExitCodes.Done, await pbm.RunAsync("--json", "--script", _file, seed.Address.ToString()));
        await playing;
        Assert.Empty(pbm.Output + pbm.Error);
    }

    [Fact]
    public async Task An_interruption_ends_the_script_with_the_command()
    {
        await WriteAsync("animal list", "cage clean");
        using var seed = new ScriptedSeed();
        using var pbm = new PbmRun();
        var playing = seed.PlayCallAsync(async (_, stream, _) =>
        {
            Assert.True(pbm.Interruption.TryCancel());
            Assert.IsType<PbmMessage.Cancel>(await stream.ReadAsync(TestDeadline.Token));
            await stream.WriteAsync(new PbmMessage.End(130, ""), TestDeadline.Token);
            Assert.Null(await stream.ReadAsync(TestDeadline.Token));
        });
        Assert.Equal(ExitCodes.Interrupted, await pbm.RunAsync(seed.Address.ToString(), "--script", _file));
        await playing;
    }

    [Fact]
    public async Task A_script_that_is_missing_or_too_long_is_wrong_usage_and_so_is_a_command_beside_it()
    {
        using var pbm = new PbmRun();
        Assert.Equal(ExitCodes.WrongUsage, await pbm.RunAsync("--script", _file, "animal", "list"));
        Assert.Contains($"--script {_file} gives the commands: leave out animal list", pbm.Error, StringComparison.Ordinal);
        Assert.Equal(ExitCodes.WrongUsage, await pbm.RunAsync("--script", $"{_file}.missing"));
        Assert.Contains($"--script {_file}.missing cannot be read", pbm.Error, StringComparison.Ordinal);
        await File.WriteAllBytesAsync(_file, new byte[1024 * 1024 + 1], TestDeadline.Token);
        Assert.Equal(ExitCodes.WrongUsage, await pbm.RunAsync("--script", _file));
        Assert.Contains($"--script {_file} has more than 1048576 bytes", pbm.Error, StringComparison.Ordinal);
    }

    private Task WriteAsync(params string[] lines) => File.WriteAllTextAsync(_file, string.Join('\n', lines), TestDeadline.Token);
}
