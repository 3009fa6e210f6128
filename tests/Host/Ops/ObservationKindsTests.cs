using System.Reflection;
using System.Text.RegularExpressions;
using Elastic.Messages.Observations;
using Elastic.Testing;

namespace Elastic.Host.Tests.Ops;

public sealed partial class ObservationKindsTests
{
    [Fact]
    public void Docs_name_each_kind_of_observation_and_nothing_else()
    {
        var kinds = typeof(Observation).Assembly.GetTypes().Select(t => t.GetCustomAttribute<ObservedAsAttribute>()?.Kind).OfType<string>();
        var text = File.ReadAllText(Checkout.PathOf("docs/cluster.md"));
        var from = text.IndexOf("Observations have a kind: ", StringComparison.Ordinal);
        var sentence = text[from..text.IndexOf("The newest 100,000 of each kind", from, StringComparison.Ordinal)];
        Assert.Equal(
            kinds.Order(StringComparer.Ordinal),
            Quoted().Matches(sentence).Select(m => m.Groups["kind"].Value).Order(StringComparer.Ordinal));
    }

    [GeneratedRegex("`(?<kind>[a-z-]+)`", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex Quoted();
}
