using Elastic.Messages.Pbm;

namespace Elastic.Pbm.Tests;

/// <summary>A catalogue with every kind of argument.</summary>
internal static class Catalogues
{
    public static readonly PaletteHelp[] Zoo =
    [
        new("animal", "keeps animals",
        [
            new("feed", "Feeds them.",
            [
                new("n", "name", "NAME", "Names the animal.", Required: true),
                new("f", "food", "FOOD", "What it gets.", Repeatable: true),
                new("q", "quick", "", "Does not wait.", Kind: ArgumentKind.Flag),
                new("p", "plan", "PLAN|FILE", "How.", Repeatable: true, Kind: ArgumentKind.ChoiceOrFile, Choices: ["plain", "fancy"]),
            ], "pbm animal feed -n leo -f meat   what a lion wants"),
            new("list", "Lists them.", []),
        ]),
        new("cage", "keeps cages", [new("clean", "Cleans them.", [])]),
    ];
}
