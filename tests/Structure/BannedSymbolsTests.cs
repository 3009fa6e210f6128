namespace Elastic.Structure.Tests;

/// <summary>What src/Coordination may not call, though references cannot forbid it: the clock, files, chance, threads.</summary>
public class BannedSymbolsTests
{
    [Theory]
    [InlineData("_ = DateTime.Now;")]
    [InlineData("_ = DateTime.UtcNow;")]
    [InlineData("_ = DateTime.Today;")]
    [InlineData("_ = DateTimeOffset.Now;")]
    [InlineData("_ = DateTimeOffset.UtcNow;")]
    [InlineData("_ = TimeProvider.System;")]
    [InlineData("_ = Stopwatch.StartNew();")]
    [InlineData("_ = Stopwatch.GetTimestamp();")]
    [InlineData("_ = Environment.TickCount;")]
    [InlineData("_ = Environment.TickCount64;")]
    [InlineData("_ = Environment.GetEnvironmentVariable(\"HOME\");")]
    [InlineData("_ = Environment.MachineName;")]
    [InlineData("_ = File.ReadAllText(\"a\");")]
    [InlineData("Directory.CreateDirectory(\"a\");")]
    [InlineData("_ = new FileStream(\"a\", FileMode.Open);")]
    [InlineData("_ = new StreamReader(\"a\");")]
    [InlineData("_ = Path.GetTempPath();")]
    [InlineData("_ = new DriveInfo(\"/\").AvailableFreeSpace;")]
    [InlineData("_ = Random.Shared.Next();")]
    [InlineData("_ = new Random();")]
    [InlineData("_ = Guid.NewGuid();")]
    [InlineData("_ = Guid.CreateVersion7();")]
    [InlineData("Func<Guid> draw = Guid.NewGuid;")]
    [InlineData("_ = HashCode.Combine(1, 2);")]
    [InlineData("_ = Task.Run(() => 1);")]
    [InlineData("_ = Task.Delay(1);")]
    [InlineData("_ = Task.Factory.StartNew(() => 1);")]
    [InlineData("Parallel.For(0, 1, _ => { });")]
    [InlineData("new Thread(() => { }).Start();")]
    [InlineData("ThreadPool.QueueUserWorkItem(_ => { });")]
    [InlineData("_ = new Timer(_ => { });")]
    [InlineData("_ = new System.Timers.Timer();")]
    [InlineData("Console.WriteLine();")]
    [InlineData("Process.Start(\"ls\");")]
    [InlineData("_ = new HttpClient();")]
    [InlineData("_ = new TcpClient();")]
    public async Task A_decision_with_a_clock_a_file_chance_or_a_thread_does_not_compile(string statement)
    {
        Assert.NotEmpty(await PureCode.RefusalsAsync(statement));
        Assert.All(await PureCode.RefusalsAsync(statement), refusal => Assert.StartsWith("RS0030: ", refusal, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("_ = (DateTimeOffset)now + TimeSpan.FromSeconds(1);")]
    [InlineData("_ = new Random(3).Next();")]
    [InlineData("_ = new Guid(new byte[16]);")]
    [InlineData("throw new InvalidDataException(\"a\");")]
    public async Task What_depends_on_its_input_only_compiles(string statement) => Assert.Empty(await PureCode.RefusalsAsync(statement));

    [Fact]
    public void A_misspelt_symbol_bans_nothing_so_every_one_of_the_list_exists_and_says_what_to_use_instead()
    {
        Violations.None(PureCode.Banned.Where(b => !PureCode.Exists(b.Symbol)).Select(b => $"{b.Symbol} does not exist: it bans nothing"));
        Violations.None(PureCode.Banned.Where(b => b.Instead.Length < 20).Select(b => $"{b.Symbol} does not say what to use instead"));
        Assert.False(PureCode.Exists("P:System.DateTime.NoSuchNow"));
    }

    [Fact]
    public void The_pure_core_is_compiled_with_the_list_and_the_analyzer_and_its_warnings_are_errors()
    {
        var project = Repository.Read("src", "Coordination", "Coordination.csproj");
        Assert.Contains("""<PackageReference Include="Microsoft.CodeAnalysis.BannedApiAnalyzers" """, project, StringComparison.Ordinal);
        Assert.Contains("""<AdditionalFiles Include="BannedSymbols.txt" />""", project, StringComparison.Ordinal);
        Assert.Contains(
            "<TreatWarningsAsErrors>true</TreatWarningsAsErrors>", Repository.Read("Directory.Build.props"), StringComparison.Ordinal);
        foreach (var text in (string[])[project, Repository.Read("Directory.Build.props"), Repository.Read(".editorconfig")])
            Assert.DoesNotContain("RS0030", text, StringComparison.Ordinal);
    }

    [Fact]
    public void No_file_of_the_pure_core_takes_itself_out() => Violations.None(
        Repository.Files(["src/Coordination"], ".cs").Where(f => Repository.Read(f).Contains("RS0030", StringComparison.Ordinal))
            .Select(f => $"{f} switches RS0030 off"));
}
