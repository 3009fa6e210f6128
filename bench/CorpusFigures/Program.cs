// What corpora cost and find.
//
//   dotnet run -c Release --project bench/CorpusFigures -- recall [PAIRS]
//   dotnet run -c Release --project bench/CorpusFigures -- signatures [DOCUMENTS]
//   dotnet run -c Release --project bench/CorpusFigures -- order
//   dotnet run -c Release --project bench/CorpusFigures -- stages [TURNS] FILE|FOLDER…

using System.Globalization;
using Elastic.CorpusFigures;

// A file or a folder may come in its place.
var number = args.Length > 1 && int.TryParse(args[1], CultureInfo.InvariantCulture, out var given) ? given : (int?)null;
switch (args.FirstOrDefault())
{
    case "recall":
        Recall.Run(number ?? 300);
        return 0;
    case "signatures":
        Signatures.Run(number ?? 10_000_000);
        return 0;
    case "order":
        Order.Run(number ?? 1_000_000_000);
        return 0;
    case "stages" when args.Length > (number is null ? 1 : 2):
        StageSpeeds.Run(args[(number is null ? 1 : 2)..], number ?? 1);
        return 0;
    default:
        Console.Error.WriteLine(
            "name what is measured: recall [PAIRS], signatures [DOCUMENTS], order [SAMPLES] or stages [TURNS] FILE|FOLDER…");
        return 2;
}
