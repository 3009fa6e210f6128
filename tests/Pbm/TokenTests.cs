using Elastic.Foundation;
using Elastic.Messages.Pbm;

namespace Elastic.Pbm.Tests;

/// <summary>The token of a seed without certificates: the file, and what the client does with it.</summary>
public sealed class TokenTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("elastic-test-").FullName;

    private string TokenPath => PbmToken.PathIn(_folder);

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_seed_draws_its_token_once_in_a_file_that_is_its_user_s()
    {
        var first = PbmToken.OfSeed(_folder);
        Assert.Matches("^[0-9a-f]{64}$", first.Secret);
        Assert.Equal(first.Secret, PbmToken.OfSeed(_folder).Secret);
        Assert.Equal(first.Secret, PbmToken.Read(first.Path).Secret);
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(first.Path));
        Directory.CreateDirectory(Path.Combine(_folder, "other"));
        Assert.NotEqual(first.Secret, PbmToken.OfSeed(Path.Combine(_folder, "other")).Secret);
        Assert.DoesNotContain(first.Secret, new PbmMessage.Hello(1, "test", first.Secret).ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Only_the_whole_token_matches()
    {
        var token = PbmToken.OfSeed(_folder);
        Assert.True(token.Matches(token.Secret));
        foreach (var other in new[] { null, "", token.Secret[1..], token.Secret + "0", token.Secret.ToUpperInvariant() + "\n" })
            Assert.False(token.Matches(other));
    }

    [Theory]
    [InlineData(UnixFileMode.GroupRead, "mode 0640")]
    [InlineData(UnixFileMode.OtherWrite, "mode 0602")]
    public void A_token_that_others_can_read_or_replace_is_refused_with_the_remedy(UnixFileMode more, string mode)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no such modes");
        var token = PbmToken.OfSeed(_folder);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(token.Path, UnixFileMode.UserRead | UnixFileMode.UserWrite | more);
        foreach (var use in new Action[] { () => PbmToken.OfSeed(_folder), () => PbmToken.Read(token.Path) })
        {
            var refusal = Assert.Throws<ElasticException>(use);
            Assert.Contains($"({mode})", refusal.Message, StringComparison.Ordinal);
            Assert.Contains($"chmod 600 {token.Path}", refusal.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("elastic-join.worker.0123456789abcdef0123456789abcdef01234567.00")]
    public void What_is_no_token_is_refused_and_not_repeated(string text)
    {
        File.WriteAllText(PbmToken.OfSeed(_folder).Path, text);
        var refusal = Assert.Throws<ElasticException>(() => PbmToken.Read(TokenPath));
        Assert.StartsWith($"{TokenPath} holds no token: copy pbm-token from", refusal.Message, StringComparison.Ordinal);
        if (text.Length > 0)
            Assert.DoesNotContain(text, refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Pbm_shows_the_token_of_the_file_that_it_is_told()
    {
        var token = PbmToken.OfSeed(_folder);
        using var seed = new ScriptedSeed();
        using var pbm = new PbmRun();
        var playing = seed.PlayAsync(async (_, stream) =>
        {
            Assert.Equal(token.Secret, Assert.IsType<PbmMessage.Hello>(await stream.ReadAsync(TestDeadline.Token)).Token);
            await stream.WriteAsync(new PbmMessage.End(ExitCodes.Failed, "no"), TestDeadline.Token);
        });
        Assert.Equal(ExitCodes.Failed, await pbm.RunAsync(seed.Address.ToString(), "--token-file", token.Path, "animal", "list"));
        await playing;
        Assert.Contains($"the seed at {seed.Address} refuses: no", pbm.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--token-file", ExitCodes.WrongUsage, "--token-file needs the file of the seed's token")]
    [InlineData("--token-file a --certs b run list", ExitCodes.WrongUsage, "give --certs or --token-file")]
    [InlineData(
        "--token-file /nowhere/token run list", ExitCodes.Failed,
        "token for pbm cannot be read (there is no file /nowhere/token): copy pbm-token")]
    public async Task A_token_file_that_cannot_be_used_is_told_before_anything_is_sent(string line, int code, string problem)
    {
        using var pbm = new PbmRun();
        Assert.Equal(code, await pbm.RunAsync(line.Split(' ')));
        Assert.Contains(problem, pbm.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("127.0.0.1", true)]
    [InlineData("::1", true)]
    [InlineData("localhost", true)]
    [InlineData("198.51.100.7", false)]
    [InlineData("seed.example", false)]
    public void A_token_that_nobody_named_is_for_a_seed_of_this_machine(string host, bool isHere) =>
        Assert.Equal(isHere, OwnToken.IsHere(new Endpoint(host, 9110)));

    [Theory]
    [InlineData("--token-file a run list")]
    [InlineData("--certs a run list")]
    public async Task The_prompt_stays_with_who_it_began_as(string line)
    {
        using var pbm = new PbmRun(line);
        Assert.Equal(ExitCodes.WrongUsage, await pbm.RunAsync());
        Assert.Contains("all commands go to", pbm.Error, StringComparison.Ordinal);
    }
}
