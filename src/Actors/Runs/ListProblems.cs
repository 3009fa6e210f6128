using Elastic.Foundation;
using Elastic.Storage;

namespace Elastic.Actors.Runs;

/// <summary>What people are told where the list of runs in the database did not take a change.</summary>
internal static class ListProblems
{
    private const string See = "see log.txt of the seed that supervises";

    /// <summary>Why a run was not entered.</summary>
    public static string OfStart(Exception why) => why is DatabaseUnavailableException
        ? $"the database cannot be reached ({why.GetBaseException().Message}): see that it runs, then start the run again"
        : $"it cannot be entered in the list of runs ({Named(why)}): {See}";

    /// <summary>Why a run was not taken out.</summary>
    public static string OfDelete(Exception why) => why is DatabaseUnavailableException
        ? $"the database cannot be reached ({why.GetBaseException().Message}); try again"
        : $"it cannot be taken out of the list of runs ({Named(why)}): {See}";

    /// <summary>A failure that is none of the database: its kind, and what it says.</summary>
    public static string Named(Exception cause) => OneLine.Of($"{cause.GetType().Name}: {cause.Message}");
}
