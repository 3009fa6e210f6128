namespace Elastic.Bench.Elasticity;

/// <summary>What was written on the command line: "--name value".</summary>
internal sealed class Options(string[] args)
{
    public string Text(string name, string fallback) => Array.IndexOf(args, "--" + name) is >= 0 and var i ? args[i + 1] : fallback;

    public bool Has(string name) => args.Contains("--" + name);

    public int Number(string name, int fallback) => int.Parse(Text(name, $"{fallback}"));

    public TimeSpan Seconds(string name, double fallback) => TimeSpan.FromSeconds(double.Parse(Text(name, $"{fallback}")));

    /// <summary>Where the data directories are made.</summary>
    public string Folder => Text("data", Path.GetTempPath());
}
