using System.Data.Common;
using Akka.Persistence;
using Elastic.Foundation;
using Elastic.Messages;

namespace Elastic.Actors.Runs;

/// <summary>What people are told where the journal of a run cannot be read.</summary>
internal static class UnreadableJournal
{
    /// <summary>Why, and what to do.</summary>
    public static string Why(RunId id, Exception reason) =>
        ElasticException.In(reason) is { } known ? $"run {id} cannot be read: {known.Message}"
        : $"the journal of run {id} cannot be read ({reason.GetBaseException().Message.TrimEnd('.')}): {Remedy(reason.GetBaseException())}";

    // Who is told to restore a journal that is merely slow, or away, loses what it has.
    private static string Remedy(Exception reason) =>
        reason is RecoveryTimedOutException or TimeoutException or DbException { IsTransient: true }
            ? "the database is away, or it or this machine is too busy; start the run again when that is over"
            : "restore journal.db from a copy, or start a new run under another name";
}
